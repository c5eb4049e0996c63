package main

import (
	"strings"
	"testing"
)

func TestVersion(t *testing.T) {
	short := ledgerd(t, "version")
	if short.code != 0 || !strings.HasPrefix(short.stdout, "ledgerd ") || strings.Count(short.stdout, "\n") != 1 {
		t.Errorf("%+v", short)
	}
	long := ledgerd(t, "version", "--verbose")
	if !strings.HasPrefix(long.stdout, short.stdout+"clients served: TigerBeetle 0.16.4 to 0.17.x\nbuilt by: go") {
		t.Errorf("%+v", long)
	}
}
