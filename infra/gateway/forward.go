package gateway

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	handler "github.com/openfaas/templates-sdk/go-http"
)

const (
	dialTime  = 2 * time.Second
	dialsTime = 6 * time.Second // of all dials of one call
	idleConns = 256             // per replica
)

// NewTransport returns what carries calls to upstreams by default: connections are kept, answers come as they are.
func NewTransport() *http.Transport {
	return &http.Transport{
		DialContext:            (&net.Dialer{Timeout: dialTime, KeepAlive: 15 * time.Second}).DialContext,
		TLSHandshakeTimeout:    5 * time.Second,
		MaxIdleConnsPerHost:    idleConns,
		IdleConnTimeout:        30 * time.Second,
		MaxResponseHeaderBytes: maxHeader,
		DisableCompression:     true,
	}
}

// forward calls a function in another process. A replica that refuses the connection has not begun: the call goes to another
// one. What breaks later may have been done: that is for the caller to decide.
func (g *Gateway) forward(ctx context.Context, w http.ResponseWriter, r *http.Request, f *instance, path string, body []byte) {
	begin := g.Now()
	tried := map[*replica]bool{}
	for {
		p := f.replicas.take(ctx, tried)
		if p == nil {
			away(w, f)
			return
		}
		tried[p] = true
		response, release, err := g.send(ctx, r, p, path, body)
		switch {
		case err == nil:
			f.replicas.done(p, true)
			write(w, response)
			release()
			return
		case errors.Is(ctx.Err(), context.Canceled):
			f.replicas.release(p)
			gone(w)
			return
		case ctx.Err() != nil:
			f.replicas.release(p)
			problem(w, http.StatusGatewayTimeout, "the function took too long")
			return
		case errors.Is(err, errAnswerTooLarge), errors.Is(err, errNoRoom):
			f.replicas.release(p)
		default:
			f.replicas.done(p, false)
		}
		g.Log.WarnContext(ctx, "call failed on its way", "function", f.Name, "replica", p.url.Host, "error", err)
		if !notBegun(err) {
			w.Header().Set("Retry-After", "1")
			problem(w, http.StatusBadGateway, "the connection to the function broke during the call: it may have been done")
			return
		}
		if g.Now().Sub(begin) >= dialsTime {
			away(w, f)
			return
		}
	}
}

// gone answers a caller who has closed the connection, or the half of it that is for sending: nobody else is to blame.
func gone(w http.ResponseWriter) {
	problem(w, http.StatusBadRequest, "the connection was closed before the answer: keep both directions open; the call may have been done")
}

func away(w http.ResponseWriter, f *instance) {
	w.Header().Set("Retry-After", "1")
	problem(w, http.StatusServiceUnavailable, "no replica of function "+f.Name+" can be reached now; the call was not begun")
}

// notBegun tells whether nothing of the call was sent.
func notBegun(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial"
}

var errAnswerTooLarge = errors.New("the function's answer has more than 64 MiB")

// send makes one call of one replica and reads its answer whole. release must be called when the answer is not needed any
// more; it is nil with an error.
func (g *Gateway) send(ctx context.Context, r *http.Request, p *replica, path string, body []byte) (answer handler.Response, release func(), err error) {
	request, err := http.NewRequestWithContext(ctx, r.Method, p.url.String(), bytes.NewReader(body))
	if err != nil {
		return answer, nil, err
	}
	request.URL = below(p.url, path, r.URL.RawQuery)
	request.Host = p.host
	request.Header = r.Header.Clone()
	request.Header.Del("Expect") // the body is here already
	if _, ok := request.Header["User-Agent"]; !ok {
		request.Header["User-Agent"] = nil // or net/http says that it is its own
	}
	response, err := g.Transport.RoundTrip(request)
	if err != nil {
		return answer, nil, err
	}
	defer response.Body.Close()
	in := &counted{reader: io.LimitReader(response.Body, maxAnswer+1), room: g.answers}
	data, err := io.ReadAll(in)
	if err == nil && len(data) > maxAnswer {
		err = errAnswerTooLarge
	}
	if err != nil {
		in.release()
		return answer, nil, err
	}
	return handler.Response{StatusCode: response.StatusCode, Header: withoutHops(response.Header), Body: data}, in.release, nil
}

// below is the address of a path below a base, escaped as the caller has escaped it: functions tell "a%2Fb" from "a/b".
func below(base url.URL, escaped, query string) *url.URL {
	plain, err := url.PathUnescape(escaped)
	if err != nil { // not of a path that a server has read
		plain = escaped
	}
	raw := base.EscapedPath() + escaped
	base.Path += plain
	base.RawPath = raw
	base.RawQuery = query
	return &base
}
