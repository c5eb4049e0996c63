package policy

import (
	"go/ast"
	"go/build"
	"go/importer"
	"go/types"
	"path"
	"path/filepath"
)

// A checker gives the types of a tree's packages. Project packages are
// checked from the tree's own sources; the standard library comes compiled
// from the go command; anything else, and anything that does not compile, is
// taken as unknown, and what depends on it with it.
type checker struct {
	tree     *tree
	standard types.Importer
	packages map[string]*types.Package // by folder
	infos    map[string]*types.Info
}

func newChecker(tr *tree) *checker {
	return &checker{
		tree:     tr,
		standard: importer.Default(),
		packages: map[string]*types.Package{},
		infos:    map[string]*types.Info{},
	}
}

// info returns the types of the package in folder, test files left out.
func (c *checker) info(folder string) (*types.Info, error) {
	if info := c.infos[folder]; info != nil {
		return info, nil
	}
	var files []*ast.File
	for _, s := range c.tree.sources {
		if s.dir != folder || s.isTest {
			continue
		}
		match, err := build.Default.MatchFile(filepath.Join(c.tree.root, folder), path.Base(s.path))
		if err != nil {
			return nil, err
		}
		if match {
			files = append(files, s.file)
		}
	}
	info := &types.Info{Types: map[ast.Expr]types.TypeAndValue{}, Uses: map[*ast.Ident]types.Object{},
		Defs: map[*ast.Ident]types.Object{}}
	config := types.Config{Importer: c, FakeImportC: true, Error: func(error) {}}
	name := path.Join(c.tree.module, folder)
	// Errors leave invalid types behind; rules judge those where they matter.
	c.packages[folder], _ = config.Check(name, c.tree.fset, files, info)
	c.infos[folder] = info
	return info, nil
}

// Import implements types.Importer.
func (c *checker) Import(name string) (*types.Package, error) {
	if folder, ours := c.tree.projectFolder(name); ours {
		if _, err := c.info(folder); err != nil {
			return nil, err
		}
		return c.packages[folder], nil
	}
	return c.standard.Import(name)
}
