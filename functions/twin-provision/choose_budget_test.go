package twinprovision

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/castor-iot/castor/shared/provision"
	"github.com/castor-iot/castor/shared/twin"
)

// slow is a guard that takes all that one call has for judging.
type slow struct{ judged int }

func (*slow) Compile(string) error { return nil }

func (s *slow) Holds(string, map[string]any) (bool, error) {
	s.judged++
	<-time.After(judgeFor)
	return false, nil
}

// The choices of a type cost who asks no more than one call has for judging, and a device is told why it is not let in.
func TestTheChoicesOfATypeAreBounded(t *testing.T) {
	g := &slow{}
	boat := &twin.Twin{ID: "boat", Definition: twin.Definition{Model: &twin.Model{Choices: []twin.Choice{{If: "a", Model: "x"}, {If: "b", Model: "y"}, {If: "c", Model: "z"}}}}}
	_, _, err := (&function{guard: g}).choose(t.Context(), boat, &provision.Run{})
	if no := refusal(""); !errors.As(err, &no) || !strings.Contains(string(no), "boat take more than 2s") || g.judged != 1 {
		t.Errorf("%d were judged: %v", g.judged, err)
	}
}
