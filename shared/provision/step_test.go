package provision

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/castor-iot/castor/shared/twin"
)

var begin = time.Date(2026, 3, 21, 10, 0, 0, 0, time.UTC)

// model is one with every kind of state: it acts, it waits, it only waits, it ends.
func model() Model {
	return Model{ID: "m", Start: "check", States: []State{
		{Name: "check", Do: CheckClaim, Then: "place", Else: "no"},
		{Name: "place", Do: RegisterGateway, Await: GatewayReady, Limit: twin.Duration(10 * time.Second), Retries: 1, Then: "confirm"},
		{Name: "confirm", Await: DeviceConfirm, Limit: twin.Duration(time.Minute), Then: "yes", Else: "no"},
		{Name: "yes", Do: Activate, End: Completed, Retries: 2},
		{Name: "no", Do: Withdraw, End: Rejected},
	}}
}

func run() *Run {
	r := &Run{ID: "r", Model: model()}
	r.Begin(begin)
	return r
}

// state is a run in one line.
func state(r *Run) string {
	s := r.State + "/" + string(r.Next())
	for _, f := range []struct {
		set  bool
		word string
	}{{r.Waiting, " waiting"}, {r.Withdrawing, " withdrawing"}, {r.Outcome != "", " " + string(r.Outcome)}} {
		if f.set {
			s += f.word
		}
	}
	return s
}

func TestARunWalksItsModel(t *testing.T) {
	at := func(d time.Duration) time.Time { return begin.Add(d) }
	type step struct {
		do   func(*Run)
		want string
	}
	done := func(r *Run) { r.Done("p", "", at(0)) }
	for name, steps := range map[string][]step{
		"straight through": {
			{func(*Run) {}, "check/check-claim"},
			{done, "place/register-gateway"},
			{done, "place/register-gateway waiting"},
			{func(r *Run) { r.Triggered(DeviceConfirm, "d", "", at(0)) }, "place/register-gateway waiting"}, // early: kept
			{func(r *Run) { r.Triggered(GatewayReady, "g", "", at(0)) }, "confirm/"},
			{done, "yes/activate"}, // the confirmation had come
			{done, "yes/activate completed"},
			{done, "yes/activate completed"},
		},
		"a trigger that comes before its action is done": {
			{done, "place/register-gateway"},
			{func(r *Run) { r.Triggered(GatewayReady, "g", "", at(0)) }, "place/register-gateway"},
			{done, "confirm/"},
			{done, "confirm/ waiting"},
		},
		"refused, with a way out": {
			{func(r *Run) { r.Refused("p", "no such claim", at(0)) }, "no/withdraw"},
			{func(r *Run) { r.Refused("p", "cannot", at(0)) }, "no/withdraw"}, // withdrawing does not give up
			{func(r *Run) { r.Failed("p", "cannot yet", at(0)) }, "no/withdraw"},
			{done, "no/withdraw rejected"},
		},
		"refused, without a way out": {
			{done, "place/register-gateway"},
			{func(r *Run) { r.Refused("p", "no room", at(0)) }, "place/withdraw withdrawing"},
			{func(r *Run) { r.Failed("p", "cannot yet", at(0)) }, "place/withdraw withdrawing"},
			{func(r *Run) { r.Triggered(GatewayReady, "g", "", at(0)) }, "place/withdraw withdrawing"},
			{done, "place/register-gateway rejected"},
		},
		"fails more often than there are retries": {
			{done, "place/register-gateway"},
			{func(r *Run) { r.Failed("p", "away", at(0)) }, "place/register-gateway"},
			{func(r *Run) { r.Failed("p", "away", at(3*time.Second)) }, "place/withdraw withdrawing"},
		},
		"late, then late again": {
			{done, "place/register-gateway"},
			{done, "place/register-gateway waiting"},
			{func(r *Run) { r.Late(at(9 * time.Second)) }, "place/register-gateway waiting"},
			{func(r *Run) { r.Late(at(10 * time.Second)) }, "place/register-gateway"},
			{func(r *Run) { r.Done("p", "", at(11*time.Second)) }, "place/register-gateway waiting"},
			{func(r *Run) { r.Late(at(19 * time.Second)) }, "place/register-gateway waiting"},
			{func(r *Run) { r.Late(at(20 * time.Second)) }, "place/withdraw withdrawing"},
		},
		"an action that hangs is late too": {
			{done, "place/register-gateway"},
			{func(r *Run) { r.Late(at(10 * time.Second)) }, "place/register-gateway"},
			{func(r *Run) { r.Late(at(20 * time.Second)) }, "place/withdraw withdrawing"},
		},
		"reset while it waits": {
			{done, "place/register-gateway"},
			{func(r *Run) { r.Reset("u", "lost", at(0)) }, "place/withdraw withdrawing"},
			{done, "place/register-gateway rejected"},
			{func(r *Run) { r.Reset("u", "lost", at(0)) }, "place/register-gateway rejected"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := run()
			attempt := r.Attempt
			for i, s := range steps {
				s.do(r)
				if got := state(r); got != s.want {
					t.Fatalf("step %d: %s, want %s\n%+v", i+1, got, s.want, r.Steps)
				}
				if r.Outcome == "" && r.Due.IsZero() {
					t.Fatalf("step %d: nobody would ever look at the run again", i+1)
				}
				if r.Attempt < attempt {
					t.Fatalf("step %d: the attempt went back from %d to %d", i+1, attempt, r.Attempt)
				}
				attempt = r.Attempt
			}
		})
	}
}

func TestACompletedRunIsResetAndBeginsAnew(t *testing.T) {
	r := run()
	r.Results = Results{TwinMade: true, ClaimUsed: true}
	for range 2 {
		r.Done("p", "", begin)
	}
	r.Triggered(GatewayReady, "g", "", begin)
	r.Done("p", "", begin)
	r.Triggered(DeviceConfirm, "d", "", begin)
	r.Done("p", "", begin)
	if r.Outcome != Completed || !r.Results.Kept {
		t.Fatalf("%s, kept %t", state(r), r.Results.Kept)
	}
	r.Reset("user:ada", "new board", begin)
	if got := state(r); got != "yes/withdraw withdrawing" || !r.Results.Kept {
		t.Fatalf("reset: %s", got)
	}
	r.Done("p", "", begin)
	last := r.Steps[len(r.Steps)-1]
	if r.Outcome != Rejected || last.Outcome != "ended" || !strings.Contains(last.Reason, "new board") {
		t.Fatalf("%s; the log ends with %+v", state(r), last)
	}
	attempt := r.Attempt
	r.Begin(begin.Add(time.Hour))
	if got := state(r); got != "check/check-claim" || r.Round != 2 || r.Attempt <= attempt || r.Reason != "" || !reflect.DeepEqual(r.Results, Results{}) {
		t.Errorf("begun anew: %s, round %d, attempt %d after %d, results %+v", got, r.Round, r.Attempt, attempt, r.Results)
	}
}

func TestFailuresRestLongerAndLonger(t *testing.T) {
	r := run()
	r.Model.States[0].Retries = 100
	now := begin
	for i, want := range []time.Duration{2 * time.Second, 4 * time.Second, 8 * time.Second} {
		r.Failed("p", "away", now)
		if got := r.Rest.Sub(now); got != want || r.Due != r.Rest || r.Ready(now) || !r.Ready(r.Rest) {
			t.Errorf("failure %d: rests %s (want %s), due %s, ready %t", i+1, got, want, r.Due, r.Ready(now))
		}
		now = r.Rest
	}
	for range 50 {
		r.Failed("p", "away", now)
	}
	if got := r.Rest.Sub(now); got != MaxBackoff {
		t.Errorf("it rests %s at most, want %s", got, MaxBackoff)
	}
}

func TestAModelThatLeadsInCirclesEnds(t *testing.T) {
	r := &Run{ID: "r", Model: Model{ID: "m", Start: "a", States: []State{
		{Name: "a", Do: CheckClaim, Then: "b"}, {Name: "b", Then: "a", Else: "c"}, {Name: "c", End: Completed},
	}}}
	r.Begin(begin)
	for i := 0; !r.Withdrawing; i++ {
		if i > 10_000 {
			t.Fatal("it goes on and on")
		}
		r.Done("p", "", begin)
	}
	if !strings.Contains(r.Reason, "circles") || len(r.Steps) > MaxSteps {
		t.Errorf("reason %q, %d steps", r.Reason, len(r.Steps))
	}
}

func TestFaultsOfModelsAreAllTold(t *testing.T) {
	with := func(change func(*Model)) Model {
		m := model()
		m.Start, m.States[2].Do = "may", Deliver
		m.States = append(m.States, State{Name: "may", Do: CheckClaim, Then: "who"}, State{Name: "who", Do: CheckIdentity, Then: "make"}, State{Name: "make", Do: CreateTwin, Then: "sign"},
			State{Name: "sign", Do: IssueCredential, Then: "check"})
		change(&m)
		return m
	}
	for name, tt := range map[string]struct {
		m    Model
		want []string
	}{
		"good":                {with(func(*Model) {}), nil},
		"no states":           {Model{ID: "m", Start: "a"}, []string{"states:", `no state "a"`}},
		"unknown words":       {with(func(m *Model) { m.States[0].Do = "fly"; m.States[1].Await = "rain" }), []string{`no action "fly"`, `no trigger "rain"`}},
		"a wait for ever":     {with(func(m *Model) { m.States[1].Limit = 0 }), []string{"states[1].limit"}},
		"a dead end":          {with(func(m *Model) { m.States[0].Then = "" }), []string{"dead end", "cannot be reached"}},
		"a way to nowhere":    {with(func(m *Model) { m.States[0].Else = "moon" }), []string{`no state "moon"`}},
		"two of one name":     {with(func(m *Model) { m.States[2].Name = "place" }), []string{"two states named"}},
		"never completed":     {with(func(m *Model) { m.States[3].End = Rejected }), []string{"no path leads to an end"}},
		"an end that goes on": {with(func(m *Model) { m.States[3].Then = "check" }), []string{"no then, else, await"}},
	} {
		t.Run(name, func(t *testing.T) {
			err := tt.m.Valid(nil)
			if (err == nil) != (len(tt.want) == 0) || err != nil && !errors.Is(err, twin.ErrInvalid) {
				t.Fatalf("got %v, want faults %q", err, tt.want)
			}
			for _, w := range tt.want {
				if !strings.Contains(fmt.Sprint(err), w) {
					t.Errorf("%q is not told of in: %v", w, err)
				}
			}
		})
	}
}

// A reason that is too long is cut at a character's end.
func TestAReasonIsCutBetweenCharacters(t *testing.T) {
	for n := range 4 {
		r := run()
		r.Log(Step{At: begin, Reason: strings.Repeat("x", n) + strings.Repeat("…", 400)})
		if got := r.Steps[len(r.Steps)-1].Reason; !utf8.ValidString(got) || len(got) > maxReason+len("…") || !strings.HasSuffix(got, "……") {
			t.Errorf("%d letters before: %d bytes, %q", n, len(got), got[max(0, len(got)-12):])
		}
	}
}
