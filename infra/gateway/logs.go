package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/openfaas/faas-provider/logs"
)

const (
	logLines     = 1000    // kept for each function
	logBytes     = 4 << 10 // of a line
	logFunctions = 1000    // that lines are kept for
	followTime   = time.Hour
	followQueue  = 256
)

// Logs keeps the last lines that each function has logged, for `faas-cli logs`. It is a slog.Handler: a record belongs to
// the function that its attribute "function" names; records without one are dropped. It is made by NewLogs.
type Logs struct {
	book     *logBook
	function string       // named by WithAttrs
	format   slog.Handler // writes into book.line
	grouped  bool         // attributes are not ours any more
}

type logBook struct {
	mu        sync.Mutex
	line      bytes.Buffer
	rings     map[string]*logRing
	followers map[chan logs.Message]string // → function
}

// A logRing is full when it has logLines; then next is the oldest.
type logRing struct {
	lines []logs.Message
	next  int
}

var _ slog.Handler = (*Logs)(nil)

// NewLogs returns empty logs.
func NewLogs() *Logs {
	book := &logBook{rings: make(map[string]*logRing), followers: make(map[chan logs.Message]string)}
	return &Logs{book: book, format: slog.NewTextHandler(&book.line, &slog.HandlerOptions{Level: slog.LevelDebug})}
}

// Enabled keeps everything but what is finer than debug.
func (l *Logs) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelDebug }

// WithAttrs is part of slog.Handler.
func (l *Logs) WithAttrs(attrs []slog.Attr) slog.Handler {
	with := *l
	with.format = l.format.WithAttrs(attrs)
	for _, a := range attrs {
		with.notice(a)
	}
	return &with
}

// WithGroup is part of slog.Handler.
func (l *Logs) WithGroup(name string) slog.Handler {
	with := *l
	with.format, with.grouped = l.format.WithGroup(name), true
	return &with
}

func (l *Logs) notice(a slog.Attr) {
	if a.Key == "function" && !l.grouped {
		l.function = a.Value.Resolve().String()
	}
}

// Handle keeps a record.
func (l *Logs) Handle(ctx context.Context, r slog.Record) error {
	with := *l
	r.Attrs(func(a slog.Attr) bool { with.notice(a); return true })
	if with.function == "" {
		return nil
	}
	b := l.book
	b.mu.Lock()
	defer b.mu.Unlock()
	b.line.Reset()
	if err := l.format.Handle(ctx, r); err != nil {
		return err
	}
	text := strings.TrimSuffix(b.line.String(), "\n")
	if len(text) > logBytes {
		text = strings.ToValidUTF8(text[:logBytes], "") + " …"
	}
	b.add(logs.Message{Name: with.function, Namespace: namespace, Instance: "castor", Timestamp: r.Time.UTC(), Text: text})
	return nil
}

func (b *logBook) add(m logs.Message) {
	ring := b.rings[m.Name]
	if ring == nil {
		if len(b.rings) >= logFunctions {
			return
		}
		ring = &logRing{}
		b.rings[m.Name] = ring
	}
	if len(ring.lines) < logLines {
		ring.lines = append(ring.lines, m)
	} else {
		ring.lines[ring.next] = m
		ring.next = (ring.next + 1) % logLines
	}
	for follower, function := range b.followers {
		if function == m.Name {
			select {
			case follower <- m:
			default: // a slow reader misses lines; the functions do not wait for it
			}
		}
	}
}

// Lines returns the last lines of a function that are not older than since, tail of them at most (all if it is not positive).
func (l *Logs) Lines(function string, since time.Time, tail int) []logs.Message {
	l.book.mu.Lock()
	defer l.book.mu.Unlock()
	return l.book.lines(function, since, tail)
}

func (b *logBook) lines(function string, since time.Time, tail int) []logs.Message {
	ring := b.rings[function]
	if ring == nil {
		return nil
	}
	var lines []logs.Message
	for i := range ring.lines {
		if m := ring.lines[(ring.next+i)%len(ring.lines)]; !m.Timestamp.Before(since) {
			lines = append(lines, m)
		}
	}
	if tail > 0 && len(lines) > tail {
		lines = lines[len(lines)-tail:]
	}
	return lines
}

// follow returns the lines so far and a channel of those that come, without a gap between, until stop is called.
func (l *Logs) follow(function string, since time.Time, tail int) (lines []logs.Message, more <-chan logs.Message, stop func()) {
	c := make(chan logs.Message, followQueue)
	l.book.mu.Lock()
	defer l.book.mu.Unlock()
	l.book.followers[c] = function
	return l.book.lines(function, since, tail), c, func() {
		l.book.mu.Lock()
		defer l.book.mu.Unlock()
		delete(l.book.followers, c)
	}
}

// logs answers with lines of JSON: what is kept, and with follow=true what comes, until the client goes.
func (g *Gateway) logs(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	name := query.Get("name")
	if g.function(name) == nil || !ourNamespace(r) {
		problem(w, http.StatusNotFound, "there is no such function")
		return
	}
	var since time.Time
	var tail int
	var err error
	if s := query.Get("since"); s != "" {
		if since, err = time.Parse(time.RFC3339, s); err != nil {
			problem(w, http.StatusBadRequest, "since must be a time like 2006-01-02T15:04:05Z")
			return
		}
	}
	if s := query.Get("tail"); s != "" {
		if tail, err = strconv.Atoi(s); err != nil {
			problem(w, http.StatusBadRequest, "tail must be a number")
			return
		}
	}
	lines, more, stop := g.Logs.follow(name, since, tail)
	defer stop()
	w.Header().Set("Content-Type", "application/x-ndjson")
	out := lineWriter{w, http.NewResponseController(w)}
	if !out.write(lines...) {
		return
	}
	if follow, _ := strconv.ParseBool(query.Get("follow")); !follow {
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), followTime)
	defer cancel()
	for {
		select {
		case <-ctx.Done():
			return
		case <-stopping(ctx):
			return
		case m := <-more:
			if !out.write(m) {
				return
			}
		}
	}
}

type lineWriter struct {
	w       http.ResponseWriter
	control *http.ResponseController
}

// write sends lines at once. The time for writing is that of these lines, however long the client has been following.
func (l lineWriter) write(lines ...logs.Message) bool {
	_ = l.control.SetWriteDeadline(time.Now().Add(30 * time.Second)) // not supported by recorders of tests
	out := json.NewEncoder(l.w)
	for _, m := range lines {
		if out.Encode(m) != nil {
			return false
		}
	}
	return l.control.Flush() == nil
}
