package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/castor-iot/castor/infra/castor/up"
	"golang.org/x/term"
)

// A terminal shows what the platform is doing: lines that stay and, on a real terminal, one live line below them. Where the
// output is a file or a pipe, the live line is printed when it has changed, at most every 30 seconds.
type terminal struct {
	out io.Writer
	tty bool
	now func() time.Time

	mu    sync.Mutex
	shown string
	last  time.Time

	known bool     // what must be known is on the screen
	early []string // lines of the first device that came before that
}

func newTerminal(out io.Writer) *terminal {
	f, ok := out.(*os.File)
	return &terminal{out: out, tty: ok && term.IsTerminal(int(f.Fd())), now: time.Now}
}

// line prints a line that stays.
func (t *terminal) line(format string, a ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.erase()
	fmt.Fprintf(t.out, format+"\n", a...)
	if t.tty {
		fmt.Fprint(t.out, t.shown)
	}
}

func (t *terminal) erase() {
	if t.tty && t.shown != "" {
		fmt.Fprint(t.out, "\r\x1b[K")
	}
}

func (t *terminal) bold(s string) string {
	if t.tty {
		return "\x1b[1m" + s + "\x1b[0m"
	}
	return s
}

func (t *terminal) title(s string) { t.line("\n%s\n", t.bold(s)) }

// phase prints one phase as it happens.
func (t *terminal) phase(p up.Phase) {
	mark, took := "✓", ""
	if p.Err != nil {
		mark = "✗"
		if p.Detail == "" {
			p.Detail = "could not start"
		}
	}
	if p.Took > 0 {
		took = fmt.Sprintf("  %d ms", p.Took.Milliseconds())
	}
	text := fmt.Sprintf("  %s %-13s %s%s", mark, p.Name, p.Detail, took)
	t.mu.Lock()
	hold := p.Name == up.ThisMachine && !t.known
	if hold {
		t.early = append(t.early, text)
	}
	t.mu.Unlock()
	if !hold {
		t.line("%s", text)
	}
}

// ready prints what somebody needs to know now. The password is shown once: after that only its hash is there.
func (t *terminal) ready(c *up.Castor, took time.Duration) {
	t.line("\n  ready in %.1f s\n", took.Seconds())
	t.line("  console         %s  (open it in a browser; the same address is the user gateway's)", t.bold(c.URL))
	t.line("  devices         %s  (provisioning %s)", c.Operational, c.Provisioning)
	if c.Password != "" {
		t.line("\n  first administrator: user %s, password %s", t.bold("admin"), t.bold(c.Password))
		t.line("  It is shown this once. On the command line:  castor login admin --url %s%s", c.URL, c.LoginFlags())
		if err := c.Shown(); err != nil {
			t.line("  ! the password's file could not be removed: %v", err)
		}
	}
	t.line("\n  Ctrl-C stops.\n")
	t.mu.Lock()
	early := t.early
	t.known, t.early = true, nil
	t.mu.Unlock()
	for _, text := range early {
		t.line("%s", text)
	}
}

// counts shows the live line.
func (t *terminal) counts(c up.Counts) {
	parts := []string{
		fmt.Sprintf("%s %s, %d online", t.now().Format("15:04:05"), count(c.Instances, "device"), c.Online),
		fmt.Sprintf("%d messages stored", c.Messages),
		fmt.Sprintf("%.1f/s", c.Rate),
	}
	if c.Provisioning > 0 {
		parts = append(parts, fmt.Sprintf("%d provisioning", c.Provisioning))
	}
	if c.Parked > 0 {
		parts = append(parts, fmt.Sprintf("%d parked since the start", c.Parked))
	}
	parts = append(parts, count(c.Alarms, "alarm")+" open")
	t.live("  " + strings.Join(parts, " · "))
}

func count(n int, of string) string {
	if n == 1 {
		return "1 " + of
	}
	return fmt.Sprintf("%d %ss", n, of)
}

func (t *terminal) live(s string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.tty {
		t.erase()
		t.shown = s
		fmt.Fprint(t.out, s)
		return
	}
	if now := t.now(); now.Sub(t.last) >= 30*time.Second {
		t.last = now
		fmt.Fprintln(t.out, s)
	}
}
