package grpc

import (
	"context"
	"errors"
	"time"

	"github.com/castor-iot/castor/connectors/gateway"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
)

// errNotStored ends what the platform could not take.
var errNotStored = errors.New("the platform did not take it: connect again and repeat what was not acknowledged")

// table says what the device is told of an error; the first that fits counts.
var table = []struct {
	err   error
	code  codes.Code
	text  string        // "" = the error's own
	retry time.Duration // for RetryInfo; 0 = none
}{
	{gateway.ErrRefused, codes.Unauthenticated, "the credential is not good here", 0},
	{gateway.ErrDismissed, codes.Unauthenticated, "the device may not come in here any more", 0},
	{gateway.ErrThrottled, codes.ResourceExhausted, "too many attempts", 10 * time.Second},
	{gateway.ErrGaveWay, codes.ResourceExhausted, "the gateway is full", 10 * time.Second},
	{gateway.ErrReplaced, codes.Aborted, "a newer one of this device has taken its place", 0},
	{gateway.ErrBusy, codes.Aborted, "the name is in use by another, or by a former connection that has not ended yet", 0},
	{gateway.ErrIdle, codes.Aborted, "nothing was heard of the device for too long", 0},
	{gateway.ErrStopping, codes.Unavailable, "the gateway is stopping: connect again", time.Second},
	{errNotStored, codes.Unavailable, "", time.Second},
	{context.DeadlineExceeded, codes.DeadlineExceeded, "the deadline of the call is over; nobody knows what became of it", 0},
	{context.Canceled, codes.Canceled, "the call was given up", 0},
}

// answer makes of an error what the device is told; nil stays nil, and what is a status already stays as it is.
func answer(err error) error {
	if err == nil {
		return nil
	}
	for _, row := range table {
		if errors.Is(err, row.err) {
			text := row.text
			if text == "" {
				text = err.Error()
			}
			return retryIn(row.code, text, row.retry)
		}
	}
	if _, ok := status.FromError(err); ok {
		return err
	}
	return status.Error(codes.Internal, "the gateway made a mistake")
}

// What a device is asked for that shows nothing.
const (
	deviceShows = "no credential is shown: show the device's certificate on the connection, or one of metadata authorization: Bearer <ref>.<secret>, " +
		"x-api-key: <ref>.<secret> and authorization: Basic with user name and password; a device that is not in yet goes to a provisioning gateway"
	claimShows = "metadata authorization is missing: Bearer <claim id>.<token>"
)

// turnedAway is the answer to who is not let in: to have shown nothing is another thing than that it is not good.
func turnedAway(seen gateway.Shown, err error, shows string) error {
	if errors.Is(err, gateway.ErrRefused) && seen.Certificate == nil && seen.Secret == "" {
		return status.Error(codes.Unauthenticated, shows)
	}
	return answer(err)
}

// retryIn is a status that says when to try again.
func retryIn(code codes.Code, text string, after time.Duration) error {
	s := status.New(code, text)
	if after > 0 {
		if detailed, err := s.WithDetails(&errdetails.RetryInfo{RetryDelay: durationpb.New(after)}); err == nil {
			s = detailed
		}
	}
	return s.Err()
}
