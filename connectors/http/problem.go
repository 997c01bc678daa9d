package http

import (
	"encoding/json"
	"errors"
	"fmt"
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

// problemOf is what the gateway's errors are to a device.
func problemOf(err error) *problem {
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
		p = refuse(http.StatusUnauthorized, "Authorization", "the credential is not admitted at this gateway",
			"show the device's certificate, or its secret as Authorization: Bearer, Basic or X-API-Key; at a provisioning gateway the claim's id and token as Basic")
	default:
		p = later(http.StatusServiceUnavailable, 1, "the session has ended")
	}
	p.close = true
	return p
}

// write sends the problem. Nothing of the request is in it but names of its parts.
func (p *problem) write(w http.ResponseWriter) {
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
	if p.close {
		header.Set("Connection", "close")
	}
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p) // who has gone will ask again
}

// reply sends an answer.
func reply(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v)
}
