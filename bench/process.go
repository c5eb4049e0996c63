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
	Written     int64         // bytes sent to the disk; 0 where the kernel does not count them
}

// Since returns what the process has cost since before, which was read earlier
// of the same process. The memory is still that of its whole life.
func (p Process) Since(before Process) Process {
	p.CPU -= before.CPU
	p.Written -= before.Written
	return p
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
	residentKilobytes, err := parseNumber(status, "VmHWM:", "kB")
	if err != nil {
		return Process{}, fmt.Errorf("bench: status of process %d: %w", pid, err)
	}
	ticks, err := parseStat(stat)
	if err != nil {
		return Process{}, fmt.Errorf("bench: stat of process %d: %w", pid, err)
	}
	process := Process{ResidentMax: residentKilobytes << 10, CPU: time.Duration(ticks) * time.Second / clockTicksPerSecond}
	if io, err := os.ReadFile(fmt.Sprintf("/proc/%d/io", pid)); err == nil { // else the kernel does not count, or not for us
		if process.Written, err = parseNumber(io, "write_bytes:", ""); err != nil {
			return Process{}, fmt.Errorf("bench: io of process %d: %w", pid, err)
		}
	}
	return process, nil
}

// parseNumber returns the number on the line that begins with name and ends
// with unit.
func parseNumber(lines []byte, name, unit string) (int64, error) {
	for line := range bytes.Lines(lines) {
		if value, ok := bytes.CutPrefix(line, []byte(name)); ok {
			return strconv.ParseInt(string(bytes.TrimSpace(bytes.TrimSuffix(bytes.TrimSpace(value), []byte(unit)))), 10, 64)
		}
	}
	return 0, fmt.Errorf("no %s", name)
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
