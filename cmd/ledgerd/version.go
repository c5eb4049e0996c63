package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// protocolReleases are the client releases that are served.
const protocolReleases = "0.16.4 to 0.17.x"

func newVersion() *cobra.Command {
	var verbose bool
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Long:  `Print the version, and with --verbose how and from what it was built.`,
		Example: `  ledgerd version
  ledgerd version --verbose`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			out := cmd.OutOrStdout()
			info, ok := debug.ReadBuildInfo()
			if !ok {
				return fmt.Errorf("this program was built without its build information")
			}
			if _, err := fmt.Fprintf(out, "ledgerd %s\n", info.Main.Version); err != nil || !verbose {
				return err
			}
			fmt.Fprintf(out, "clients served: TigerBeetle %s\n", protocolReleases)
			fmt.Fprintf(out, "built by: %s for %s/%s\n", info.GoVersion, runtime.GOOS, runtime.GOARCH)
			for _, setting := range info.Settings {
				switch setting.Key {
				case "vcs.revision", "vcs.time", "vcs.modified":
					fmt.Fprintf(out, "%s: %s\n", setting.Key, setting.Value)
				}
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&verbose, "verbose", false, "also print clients served, compiler and source revision")
	return cmd
}
