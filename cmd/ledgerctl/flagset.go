package main

import (
	"fmt"
	"slices"
	"strings"
)

// flagNames are the names of a record's flags, by bit.
type flagNames []string

// Names of the flags; PROTOCOL.md sections 14.1 and 14.2.
var (
	accountFlagNames = flagNames{
		"linked", "debits_must_not_exceed_credits", "credits_must_not_exceed_debits", "history", "imported", "closed",
	}
	transferFlagNames = flagNames{
		"linked", "pending", "post_pending_transfer", "void_pending_transfer", "balancing_debit",
		"balancing_credit", "closing_debit", "closing_credit", "imported",
	}
)

// parse returns the bits of the flags named.
func (names flagNames) parse(given []string) (bits uint16, err error) {
	for _, name := range given {
		bit := slices.Index(names, name)
		if bit < 0 {
			return 0, fmt.Errorf("no flag %q; there are %s", name, strings.Join(names, ", "))
		}
		bits |= 1 << bit
	}
	return bits, nil
}

// format returns the names of the flags set in bits, never nil.
func (names flagNames) format(bits uint16) []string {
	set := []string{}
	for bit, name := range names {
		if bits&(1<<bit) != 0 {
			set = append(set, name)
		}
	}
	return set
}
