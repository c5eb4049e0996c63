// The payment scenario in a module of its own: TigerBeetle's Go client needs
// cgo, which ledgerd does not.
module github.com/ledgerd/ledgerd/compat/go

go 1.26.0

require github.com/tigerbeetle/tigerbeetle-go v0.17.9
