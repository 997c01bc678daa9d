package cluster

import (
	"bytes"
	"io"
	"net/http"
	"syscall"
)

// A Call is on its way from the user gateway to a function, or has been answered by it.
type Call struct {
	Function string // that is called
	By       string // the part of the platform that calls; "" = a person, or nobody
	Text     string // method, path, query and body
	Answered bool   // the function has done it, and its caller has not heard of that yet
}

// Watch has do hear of every call before a function gets it, and again before its caller hears the answer; the call waits for do
// meanwhile. From now on nothing else is done to calls and replicas. It is for stories that kill at a certain moment.
func (c *Cluster) Watch(do func(Call)) { c.watch.Store(&do) }

func (c *chaos) watched(r *http.Request, replica *Replica, do func(Call)) (*http.Response, error) {
	call := Call{Function: replica.Function, By: partOf(r), Text: r.Method + " " + r.URL.RequestURI() + "\n"}
	if r.Body != nil {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		r.Body.Close()
		r = r.Clone(r.Context())
		r.Body = io.NopCloser(bytes.NewReader(body))
		call.Text += string(body)
	}
	do(call)
	resp, err := whole(c.next.RoundTrip(r))
	if err == nil {
		call.Answered = true
		do(call)
	}
	return resp, err
}

// CrashAll ends all replicas of a function at once, as a power cut would; they come back soon.
func (c *Cluster) CrashAll(function string) {
	var ended []<-chan struct{}
	for _, r := range c.Functions[function] {
		ended = append(ended, r.signal(syscall.SIGKILL, false))
	}
	for _, over := range ended {
		<-over
	}
}
