package twinprovision

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/provision"
	"github.com/castor-iot/castor/shared/store"
)

// answerRun takes the later answer of a service that was called as a step of a run. The call's token lets it in, from the account
// that the service belongs to, once; the same answer may come again.
func (f *function) answerRun(ctx context.Context, c *faas.Call, in api.ServiceAnswer) (faas.None, error) {
	if err := checkAnswer(&in); err != nil {
		return faas.None{}, err
	}
	body, err := json.Marshal(in.Data)
	if err != nil || len(body) > maxData {
		return faas.None{}, api.Invalid("data may have %d bytes", maxData)
	}
	if in.Token == "" || len(in.Token) > 128 {
		return faas.None{}, api.Invalid("token must be the one of the call that is answered")
	}
	body = append(body, []byte("\x00"+in.Outcome+"\x00"+in.Reason)...)
	went := false
	r, err := f.change(ctx, c.Var("id"), func(r *provision.Run, now time.Time) error {
		went = false
		return f.takeAnswer(r, &in, c.Caller, hashOf(body), now, &went)
	})
	if isNotFound(err) || errors.Is(err, store.ErrInvalid) {
		return faas.None{}, fmt.Errorf("%w: %w", access.ErrDenied, errToken) // a run that there is not has no open call
	}
	if err != nil || !went {
		return faas.None{}, err
	}
	if _, err := f.goOn(ctx, r.ID); err != nil { // it is stored; the schedule takes the run on
		f.p.Log.WarnContext(ctx, "run not taken on yet", "run", r.ID, "error", err)
	}
	return faas.None{}, nil
}

// takeAnswer puts an answer into the run whose open call it answers.
func (f *function) takeAnswer(r *provision.Run, in *api.ServiceAnswer, by access.Caller, body string, now time.Time, went *bool) error {
	call := r.Call
	own := call != nil && (call.Service == by.String() || strings.HasPrefix(call.Service, by.String()+":"))
	switch {
	case !own, subtle.ConstantTimeCompare([]byte(hashOf([]byte(in.Token))), []byte(call.Token)) != 1:
		return fmt.Errorf("%w: %w", access.ErrDenied, errToken)
	case call.Body == body:
		return store.Unchanged // it comes again
	case !call.Answered.IsZero():
		return fmt.Errorf("%w: the call was answered already, otherwise", api.ErrConflict)
	case r.Outcome != "" || r.Withdrawing || r.Attempt != call.Attempt || !call.Deadline.IsZero() && now.After(call.Deadline):
		return fmt.Errorf("%w: run %s waits for this answer no longer", api.ErrConflict, r.ID)
	}
	call.Body = body
	if in.Outcome == "refused" && !refusalAwaited(stateOfRun(r)) {
		call.Answered = now
		r.Refused(by.String(), joinReason("service "+nameOf(call.Service)+" refused", in.Reason), now)
		*went = true
		return nil
	}
	*went = f.answered(r, in)
	return nil
}

// refusalAwaited tells whether the model itself looks at how a service answered; else a refusal is one.
func refusalAwaited(s *provision.State) bool {
	for _, w := range s.Ways() {
		if w.When == provision.Answered && strings.Contains(w.If, "answer.outcome") {
			return true
		}
	}
	return false
}
