package http

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"

	"github.com/castor-iot/castor/connectors/gateway"
)

// A problem is an answer that is none, in the words of RFC 9457.
type problem struct {
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`
	Field  string `json:"field,omitempty"`  // the part of the request that is wrong
	Remedy string `json:"remedy,omitempty"` // what to do

	after int    // seconds until it may be tried again; 0 = not said
	close bool   // the connection: what is left on it was not read
	allow string // methods
}

func (p *problem) Error() string { return p.Detail }

func refuse(status int, field, detail, remedy string) *problem {
	return &problem{Title: http.StatusText(status), Status: status, Field: field, Detail: detail, Remedy: remedy}
}

// bad is a request that will never be taken.
func bad(field, detail, remedy string) *problem {
	return refuse(http.StatusBadRequest, field, detail, remedy)
}

// later is a request that may be made again.
func later(status, after int, detail string) *problem {
	p := refuse(status, "", detail, fmt.Sprintf("send it again in %d s", after))
	p.after = after
	return p
}

// doors say what is shown at a gateway of each phase, in the same words whoever asks: they must not tell what exists.
var doors = map[gateway.Phase]struct{ unknown, remedy string }{
	gateway.Operational: {
		"what is shown does not let in at this operational gateway, or does not any more",
		"show the device's certificate on the connection, or its secret in one header: Authorization: Bearer <ref>.<secret>, X-API-Key: <ref>.<secret>, " +
			"or Authorization: Basic with user name and password; try the bundle's other gateways; a device that is not in yet goes to a provisioning gateway",
	},
	gateway.Provisioning: {
		"what is shown does not let in at this provisioning gateway, or does not any more",
		"show a claim that has not ended, as Authorization: Basic with its id and token, or Bearer <claim>.<token>; without one, POST /v1/knock; " +
			"a device that is in goes to the operational gateway that its bundle names",
	},
}

// unknown is the answer to who is not let in.
func unknown(phase gateway.Phase) *problem {
	return unauthorized(doors[phase].unknown, doors[phase].remedy)
}

// nothingShown is the answer to who shows nothing.
func nothingShown(phase gateway.Phase) *problem {
	return unauthorized(fmt.Sprintf("no credential is shown, and this %s gateway needs one", phase), doors[phase].remedy)
}

// problemOf is what the gateway's errors are to a device.
func problemOf(err error, phase gateway.Phase) *problem {
	var p *problem
	switch {
	case errors.As(err, &p):
		return p
	case errors.Is(err, gateway.ErrThrottled):
		p = later(http.StatusTooManyRequests, 10, "too much comes from this address")
	case errors.Is(err, gateway.ErrStopping):
		p = later(http.StatusServiceUnavailable, 1, "the gateway is stopping")
	case errors.Is(err, gateway.ErrBusy), errors.Is(err, gateway.ErrReplaced):
		p = refuse(http.StatusConflict, "", "another session has this device's place", "use one connection, one credential and one name per device")
	case errors.Is(err, gateway.ErrRefused), errors.Is(err, gateway.ErrDismissed):
		p = unknown(phase)
	default:
		p = later(http.StatusServiceUnavailable, 1, "the session has ended")
	}
	p.close = true
	return p
}

// write sends the problem. Nothing of the request is in it but names of its parts.
func (p *problem) write(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header.Set("Content-Type", "application/problem+json")
	if p.after > 0 {
		header.Set("Retry-After", strconv.Itoa(p.after))
	}
	if p.Status == http.StatusUnauthorized {
		header.Set("WWW-Authenticate", `Basic realm="castor", Bearer realm="castor"`)
	}
	if p.allow != "" {
		header.Set("Allow", p.allow)
	}
	if p.close && r.ProtoMajor == 1 { // on HTTP/2 nothing is left on the connection, and ending it would take the answer along
		header.Set("Connection", "close")
	}
	w.WriteHeader(p.Status)
	encode(w, p)
}

// reply sends an answer.
func reply(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	encode(w, v)
}

// encode writes JSON as people read it: nobody puts it into a web page. Who has gone meanwhile will ask again.
func encode(w io.Writer, v any) {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	_ = e.Encode(v)
}
