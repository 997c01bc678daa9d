package platform

import (
	"fmt"
	"io"
	"log/slog"
	"strings"
)

// LogLevel reads CASTOR_LOG, the least that is logged: debug, info, warn or error; info if it is not set.
func LogLevel(env func(string) string) (slog.Level, error) {
	switch s := strings.TrimSpace(env("CASTOR_LOG")); s {
	case "", "info":
		return slog.LevelInfo, nil
	case "debug":
		return slog.LevelDebug, nil
	case "warn":
		return slog.LevelWarn, nil
	case "error":
		return slog.LevelError, nil
	default:
		return slog.LevelInfo, fmt.Errorf("CASTOR_LOG must be debug, info, warn or error, not %.40q", s)
	}
}

// LogTo returns the log of a process, as JSON lines on w, of what CASTOR_LOG wants; info and above if it is none of its words.
func LogTo(w io.Writer, env func(string) string) *slog.Logger {
	level, _ := LogLevel(env) // who starts the process refuses it
	return slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level}))
}
