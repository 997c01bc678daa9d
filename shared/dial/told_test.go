package dial

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

// serve answers every connection by what it says, and ends it.
func serve(t *testing.T, says string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				_, _ = c.Read(make([]byte, 4096))
				_, _ = io.WriteString(c, says)
			}()
		}
	}()
	return l.Addr().String()
}

// refusing has a server that ends each handshake with an alert.
func refusing(t *testing.T) string {
	t.Helper()
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return nil, errors.New("SECRET") }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_ = c.(*tls.Conn).Handshake()
			_ = c.Close()
		}
	}()
	return l.Addr().String()
}

// Nothing of what answers is told, whatever it answers.
func TestWhatIsToldOfACallThatFails(t *testing.T) {
	trusted := httptest.NewUnstartedServer(http.NotFoundHandler())
	trusted.Config.ErrorLog = log.New(io.Discard, "", 0)
	trusted.StartTLS()
	t.Cleanup(trusted.Close)
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = closed.Close()
	given, giveUp := context.WithCancel(context.Background())
	giveUp()
	late, end := context.WithTimeout(context.Background(), time.Nanosecond)
	defer end()
	for what, c := range map[string]struct {
		ctx       context.Context
		url, want string
	}{
		"a header":       {nil, "http://" + serve(t, "HTTP/1.1 200 OK\r\nSECRET of a private service\r\n\r\n"), "its answer is no HTTP"},
		"a line":         {nil, "http://" + serve(t, "root:x:0:0:SECRET\r\n"), "its answer is no HTTP"},
		"a status":       {nil, "http://" + serve(t, "HTTP/1.1 2SECRET OK\r\n\r\n"), "its answer is no HTTP"},
		"a version":      {nil, "http://" + serve(t, "HTTP/SECRET 200 OK\r\n\r\n"), "its answer is no HTTP"},
		"nothing":        {nil, "http://" + serve(t, ""), "the connection ended before it answered"},
		"half a header":  {nil, "http://" + serve(t, "HTTP/1.1 200 OK\r\nA: SECRET\r\n"), "the connection ended before it answered"},
		"no TLS":         {nil, "https://" + serve(t, "SECRET is no TLS"), "no TLS connection to it came about"},
		"HTTP for TLS":   {nil, "https://" + serve(t, "HTTP/1.1 400 SECRET\r\n\r\n"), "no TLS connection to it came about"},
		"an alert":       {nil, "https://" + refusing(t), "no TLS connection to it came about"},
		"a certificate":  {nil, trusted.URL, "its certificate is not trusted"},
		"nobody":         {nil, "http://" + closed.Addr().String(), "it cannot be reached"},
		"a name":         {nil, "http://nobody.invalid", "the name nobody.invalid cannot be resolved"},
		"link-local":     {nil, "http://169.254.169.254", ErrLinkLocal.Error()},
		"it was stopped": {given, trusted.URL, "the call was given up"},
		"it took long":   {late, trusted.URL, "it took too long"},
	} {
		if c.ctx == nil {
			c.ctx = t.Context()
		}
		r, err := http.NewRequestWithContext(c.ctx, http.MethodPost, c.url+"/SECRETKEY", strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		client := http.Client{Transport: Transport(5*time.Second, Control(true))}
		resp, err := client.Do(r)
		if err == nil {
			t.Errorf("%s: %s", what, resp.Status)
			_ = resp.Body.Close()
			continue
		}
		if got := Told(err); !Asked(err) || got.Error() != c.want {
			t.Errorf("%s: %q, want %q, of %v", what, got, c.want, err)
		}
	}
}

// A connection that broke while it was used is told as that, however the system says it.
func TestWhatIsToldOfAConnectionThatBreaks(t *testing.T) {
	for what, c := range map[string]struct {
		err  error
		want error
	}{
		"reset":             {&net.OpError{Op: "read", Net: "tcp", Err: os.NewSyscallError("read", syscall.ECONNRESET)}, errEnded},
		"written to no end": {&net.OpError{Op: "write", Net: "tcp", Err: os.NewSyscallError("write", syscall.EPIPE)}, errEnded},
		"its end":           {io.EOF, errEnded},
		"never made":        {&net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", syscall.ECONNRESET)}, errReach},
		"anything else":     {&net.OpError{Op: "read", Net: "tcp", Err: os.NewSyscallError("read", syscall.EIO)}, errNoHTTP},
	} {
		if got := Told(c.err); !errors.Is(got, c.want) {
			t.Errorf("%s: %q, want %q", what, got, c.want)
		}
	}
}
