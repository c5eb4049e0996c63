package main

import (
	"context"
	"iter"

	"github.com/spf13/cobra"

	"github.com/ledgerd/ledgerd/client"
	"github.com/ledgerd/ledgerd/internal/command"
	"github.com/ledgerd/ledgerd/ledger"
)

// pageMax is the most records to ask for at once; a server may give fewer.
const pageMax = 8189

// filter is the flags of a list; those of AccountFilter are among them.
type filter struct {
	ledger.QueryFilter
	limit    int
	reversed bool
}

func (f *filter) addTo(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.Uint32Var(&f.Ledger, "ledger", 0, "only those of this ledger")
	flags.Uint16Var(&f.Code, "code", 0, "only those of this code")
	flags.TextVar(&f.UserData128, "user-data-128", ledger.Uint128{}, "only those with this user data")
	flags.Uint64Var(&f.UserData64, "user-data-64", 0, "only those with this user data")
	flags.Uint32Var(&f.UserData32, "user-data-32", 0, "only those with this user data")
	flags.Var((*moment)(&f.TimestampMin), "timestamp-min", "only those made then or later")
	flags.Var((*moment)(&f.TimestampMax), "timestamp-max", "only those made then or earlier")
	flags.IntVar(&f.limit, "limit", 100, "how many to show at most")
	flags.BoolVar(&f.reversed, "reversed", false, "newest first")
}

// query is a way to ask a client for one page of records: at most limit of them
// whose timestamps are in low .. high, where 0 is no bound.
type query[T any] func(ctx context.Context, session *client.Client, low, high uint64, limit uint32) ([]T, error)

// list prints what query gives, page by page in JSON, all at once in a table.
func (k *kind[T]) list(c *common, cmd *cobra.Command, f *filter, ask query[T], timestamp func(*T) uint64) error {
	if f.limit < 1 {
		return command.Usagef("--limit: %d is less than 1", f.limit)
	}
	session, err := c.connect(cmd.Context())
	if err != nil {
		return err
	}
	defer session.Close()
	var records []T
	for page, err := range pages(f, timestamp, func(low, high uint64, limit uint32) ([]T, error) {
		return ask(cmd.Context(), session, low, high, limit)
	}) {
		if err == nil && !c.tabular(cmd) {
			err = k.writeJSON(cmd.OutOrStdout(), page)
		}
		if err != nil {
			return err
		}
		if c.tabular(cmd) {
			records = append(records, page...)
		}
	}
	if c.tabular(cmd) {
		return k.writeTable(cmd.OutOrStdout(), records)
	}
	return nil
}

// pages asks for one page after another until f.limit records have been given
// or there are no more. It stops after an error. A page may be shorter than
// asked for although more records follow.
func pages[T any](f *filter, timestamp func(*T) uint64, ask func(low, high uint64, limit uint32) ([]T, error)) iter.Seq2[[]T, error] {
	return func(yield func([]T, error) bool) {
		low, high := f.TimestampMin, f.TimestampMax
		for remaining := f.limit; remaining > 0; {
			page, err := ask(low, high, uint32(min(remaining, pageMax)))
			if err == nil && len(page) == 0 || !yield(page, err) || err != nil {
				return
			}
			remaining -= len(page)
			last := timestamp(&page[len(page)-1])
			if !f.reversed {
				low = last + 1
			} else if high = last - 1; high == 0 {
				return // 0 would be no bound at all
			}
		}
	}
}

// queryFilter returns f for one page.
func (f *filter) queryFilter(low, high uint64, limit uint32) ledger.QueryFilter {
	page := f.QueryFilter
	page.TimestampMin, page.TimestampMax, page.Limit = low, high, limit
	if f.reversed {
		page.Flags |= ledger.QueryFilterReversed
	}
	return page
}
