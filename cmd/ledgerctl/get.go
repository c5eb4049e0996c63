package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ledgerd/ledgerd/client"
	"github.com/ledgerd/ledgerd/internal/command"
	"github.com/ledgerd/ledgerd/internal/u128"
	"github.com/ledgerd/ledgerd/ledger"
)

// lookup is a client's method that returns what there is of some ids, in order.
type lookup[T any] func(*client.Client, context.Context, []ledger.Uint128) ([]T, error)

// get prints the records with the ids in args, and fails if any is missing.
func (k *kind[T]) get(c *common, cmd *cobra.Command, args []string, look lookup[T], id func(*T) ledger.Uint128) error {
	ids := make([]ledger.Uint128, len(args))
	for i, arg := range args {
		var err error
		if ids[i], err = u128.Parse(arg); err != nil {
			return command.Usagef("id %w", err)
		}
	}
	session, err := c.connect(cmd.Context())
	if err != nil {
		return err
	}
	defer session.Close()
	records, err := look(session, cmd.Context(), ids)
	if err != nil {
		return err
	}
	if err := k.show(c, cmd, records); err != nil {
		return err
	}
	found := make(map[ledger.Uint128]bool, len(records))
	for i := range records {
		found[id(&records[i])] = true
	}
	var missing []string
	for i := range ids {
		if !found[ids[i]] {
			missing = append(missing, ids[i].String())
		}
	}
	if len(missing) != 0 {
		return fmt.Errorf("no such %s: %s", k.plural, strings.Join(missing, ", "))
	}
	return nil
}
