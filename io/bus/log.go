package bus

import (
	"context"
	"log/slog"
	"sync"
)

const (
	// logLinesMax is how many lines the log gets in logRounds rounds of the
	// janitor: peers decide how often there is something to say.
	logLinesMax = 8
	logRounds   = 4
)

// A cappedLog is a logger that hostile peers cannot flood.
type cappedLog struct {
	logger *slog.Logger

	mu      sync.Mutex
	period  int64 // of the last line
	lines   int   // in this period
	omitted int   // lines since the last that was written
}

// write logs a line about something that happened in the given round, unless
// there were too many.
func (l *cappedLog) write(round int64, level slog.Level, message string, args ...any) {
	if !l.logger.Enabled(context.Background(), level) {
		return
	}
	l.mu.Lock()
	if period := round / logRounds; period != l.period {
		l.period, l.lines = period, 0
	}
	if l.lines == logLinesMax {
		l.omitted++
		l.mu.Unlock()
		return
	}
	l.lines++
	if l.omitted > 0 {
		args = append(args, "lines_omitted", l.omitted)
		l.omitted = 0
	}
	l.mu.Unlock()
	l.logger.Log(context.Background(), level, message, args...)
}
