package bench

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"time"
)

// Process is what a process has cost so far.
type Process struct {
	ResidentMax int64         // bytes of memory, at the peak
	CPU         time.Duration // of user and system, over all threads
}

// clockTicksPerSecond is the unit of times under /proc: fixed by the kernel's
// interface, whatever its own clock does.
const clockTicksPerSecond = 100

// ReadProcess reads what process pid has cost from /proc. It fails where there
// is no such folder, or no such process.
func ReadProcess(pid int) (Process, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return Process{}, fmt.Errorf("bench: %w", err)
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return Process{}, fmt.Errorf("bench: %w", err)
	}
	resident, err := parseStatus(status)
	if err != nil {
		return Process{}, fmt.Errorf("bench: status of process %d: %w", pid, err)
	}
	ticks, err := parseStat(stat)
	if err != nil {
		return Process{}, fmt.Errorf("bench: stat of process %d: %w", pid, err)
	}
	return Process{ResidentMax: resident, CPU: time.Duration(ticks) * time.Second / clockTicksPerSecond}, nil
}

// parseStatus returns the high-water mark of resident memory in bytes: the
// line "VmHWM:    1234 kB".
func parseStatus(status []byte) (int64, error) {
	for line := range bytes.Lines(status) {
		value, ok := bytes.CutPrefix(line, []byte("VmHWM:"))
		if !ok {
			continue
		}
		kilobytes, err := strconv.ParseInt(string(bytes.TrimSuffix(bytes.TrimSpace(value), []byte(" kB"))), 10, 64)
		return kilobytes << 10, err
	}
	return 0, fmt.Errorf("no VmHWM")
}

// parseStat returns user and system time in clock ticks: the 14th and 15th
// field. The second is the program's name in parentheses, which may hold
// anything, so fields are counted from the last parenthesis.
func parseStat(stat []byte) (int64, error) {
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(fields) < 13 {
		return 0, fmt.Errorf("%d fields after the name", len(fields))
	}
	user, err := strconv.ParseInt(string(fields[11]), 10, 64)
	if err != nil {
		return 0, err
	}
	system, err := strconv.ParseInt(string(fields[12]), 10, 64)
	return user + system, err
}
