package wire

import "fmt"

// Operation is what a request asks for. Numbers below OperationStateMachineMin
// concern replication itself, the others belong to the state machine
// (PROTOCOL.md section 12.1).
type Operation uint8

// The operations of replication. Of these clients send OperationRegister only.
const (
	OperationReserved    Operation = 0
	OperationRoot        Operation = 1
	OperationRegister    Operation = 2
	OperationReconfigure Operation = 3
	OperationPulse       Operation = 4
	OperationUpgrade     Operation = 5
	OperationNoop        Operation = 6

	// OperationStateMachineMin is the first number of the state machine's own.
	OperationStateMachineMin Operation = 128
)

var operationNames = [...]string{
	OperationReserved:    "reserved",
	OperationRoot:        "root",
	OperationRegister:    "register",
	OperationReconfigure: "reconfigure",
	OperationPulse:       "pulse",
	OperationUpgrade:     "upgrade",
	OperationNoop:        "noop",
}

// String returns the name of an operation of replication, and the number of
// any other.
func (o Operation) String() string {
	if int(o) < len(operationNames) {
		return operationNames[o]
	}
	return fmt.Sprintf("operation %d", uint8(o))
}
