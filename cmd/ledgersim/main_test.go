package main

import (
	"bytes"
	"strings"
	"testing"
)

func TestRun(t *testing.T) {
	for _, test := range []struct {
		args string
		code int
		want string
	}{
		{"--seeds 2 --start 5", 0, "2 seeds, 0 failed"},
		{"--seed 5 --verbose", 0, "last crash of replica 0"},
		{"--seed 5", 0, "1 seeds, 0 failed"},
		{"--duration 1ns", 0, "seeds from "},
		{"--seeds 2 --replicas 1", 0, " 0 taken over"},
		{"--replicas 7", 2, "--replicas is 1 to 6"},
		{"--seed five", 2, "invalid value"},
		{"5", 2, "unexpected argument"},
	} {
		var out bytes.Buffer
		if code := run(strings.Fields(test.args), &out, &out); code != test.code || !strings.Contains(out.String(), test.want) {
			t.Errorf("ledgersim %s: exit code %d, output\n%s", test.args, code, out.String())
		}
	}
}
