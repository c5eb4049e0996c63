package wire

import "fmt"

// Command says what a message is (PROTOCOL.md section 5).
type Command uint8

// All commands. Clients send CommandPingClient and CommandRequest and
// receive CommandPongClient, CommandReply and CommandEviction; the others pass
// between replicas only.
const (
	CommandReserved   Command = 0
	CommandPing       Command = 1
	CommandPong       Command = 2
	CommandPingClient Command = 3
	CommandPongClient Command = 4
	CommandRequest    Command = 5
	CommandPrepare    Command = 6
	CommandPrepareOK  Command = 7
	CommandReply      Command = 8
	CommandCommit     Command = 9
	CommandExitView   Command = 10
	CommandJoinView   Command = 11
	CommandGetView    Command = 13
	CommandGetHeaders Command = 14
	CommandGetPrepare Command = 15
	CommandGetReply   Command = 16
	CommandHeaders    Command = 17
	CommandEviction   Command = 18
	CommandGetBlocks  Command = 19
	CommandBlock      Command = 20
	CommandRefs       Command = 21
	CommandView       Command = 24
)

// commandNames has an entry for each known command and no other.
var commandNames = [...]string{
	CommandPing:       "ping",
	CommandPong:       "pong",
	CommandPingClient: "ping_client",
	CommandPongClient: "pong_client",
	CommandRequest:    "request",
	CommandPrepare:    "prepare",
	CommandPrepareOK:  "prepare_ok",
	CommandReply:      "reply",
	CommandCommit:     "commit",
	CommandExitView:   "exit_view",
	CommandJoinView:   "join_view",
	CommandGetView:    "get_view",
	CommandGetHeaders: "get_headers",
	CommandGetPrepare: "get_prepare",
	CommandGetReply:   "get_reply",
	CommandHeaders:    "headers",
	CommandEviction:   "eviction",
	CommandGetBlocks:  "get_blocks",
	CommandBlock:      "block",
	CommandRefs:       "refs",
	CommandView:       "view",
}

// Known reports whether c is a command that may be on the wire at all. To send
// any other would abort an official client's process.
func (c Command) Known() bool {
	return int(c) < len(commandNames) && commandNames[c] != ""
}

// String returns the command's name in PROTOCOL.md section 5.
func (c Command) String() string {
	if !c.Known() {
		return fmt.Sprintf("command %d", uint8(c))
	}
	return commandNames[c]
}

// sizeMax returns the largest size of a message with this command.
func (c Command) sizeMax() uint32 {
	switch c {
	case CommandPrepare:
		return PrepareSizeMax
	case CommandBlock:
		return HeaderSize + MessageSizeMax
	}
	return MessageSizeMax
}

// CommandOf returns the command of a frame whose header has been verified. b
// holds at least HeaderSize bytes.
func CommandOf(b []byte) Command { return Command(b[offsetCommand]) }
