package forest

// The events log ascends by *stamp*, and a stamp is not always the time of
// what the row tells:
//
//   - A transfer's stamp is its timestamp. Transfers ascend strictly.
//   - An expiry may be followed by imported transfers that are older than it
//     (SEMANTICS.md section 5.3): by its own timestamp the log would descend. Its
//     stamp is that of the row before it, so that a search for a time finds the
//     first *transfer* at or after it.
//   - The same goes for a burnt id.
//
// So the row's header has the stamp. An expiry's own timestamp is a field of its
// row (the amount, which an expiry does not have), and the tree `expired` leads
// from it to the position: key timestamp, value position of the expiry's row.
// That tree answers HasExpiryAt and gives get_change_events the expiries between
// two times, which are merged with the transfers between two positions.
