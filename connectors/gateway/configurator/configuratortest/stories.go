package configuratortest

import (
	"strings"
	"time"

	"github.com/castor-iot/castor/connectors/linktest"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/device"
)

func admitted(s *stage) {
	id, a := s.admit("p-1")
	s.in(id)
	told := s.await("p-1", s.put(a))
	if told.Removed || told.Lost != "" {
		s.t.Errorf("told %+v", told)
	}
}

func removed(s *stage) {
	id, _ := s.admit("p-1")
	other, _ := s.admit("p-2")
	d, stays := s.in(id), s.in(other)
	floor := s.floor(stays)
	begin := time.Now()
	revision := s.w.Dismiss("p-1")
	s.gone(d, linktest.Patience, "the removed device's connection")
	if took, most := time.Since(begin), time.Second+20*floor; took > most {
		s.t.Errorf("the device was cut off after %s, want a second; %s is the most on this machine as it is now", took, most)
	}
	if told := s.await("p-1", revision); !told.Removed {
		s.t.Errorf("told %+v", told)
	}
	if err := d.Publish(); err == nil {
		s.t.Error("a message of the removed device was taken")
	}
	s.out(id, "it was removed")
	s.out(id, "it was removed, and tries again")
	s.stays(stays, "another device's connection")
}

func again(s *stage) {
	id, a := s.admit("p-1")
	d := s.in(id)
	s.remove("p-1")
	s.gone(d, linktest.Patience, "the connection")
	s.out(id, "it was removed")
	s.put(a)
	s.in(id)
	fresh, b := s.admission("p-1") // removed, and then with another credential
	s.remove("p-1")
	s.put(b)
	s.out(id, "its credential has gone")
	s.in(fresh)
}

func suspended(s *stage) {
	id, a := s.admit("p-1")
	other, _ := s.admit("p-2")
	d, stays := s.in(id), s.in(other)
	a.Sealed = "" // the platform erases it once the gateway has it
	shut := a
	shut.Phase = "suspended"
	revision := s.w.Admit(shut)
	s.gone(d, linktest.Patience, "the suspended device's connection")
	if told := s.await("p-1", revision); !told.Removed || told.Lost != "" {
		s.t.Errorf("told %+v", told)
	}
	s.out(id, "it is suspended")
	s.stays(stays, "another device's connection")
	s.put(shut)
	s.Stop()
	s.Running = s.g.Start(s.t, s.w)
	s.in(other)
	s.out(id, "it is suspended still")
	if told := s.await("p-1", s.put(a)); told.Removed || told.Lost != "" {
		s.t.Errorf("resumed: told %+v", told)
	}
	again := s.in(id)
	s.put(shut)
	s.gone(again, linktest.Patience, "the connection of the device that is suspended again")
	s.remove("p-1")
	s.out(id, "it was removed")
}

func strangers(s *stage) {
	id, _ := s.admit("p-1")
	unknown, _ := s.admission("p-9")
	same, _ := s.admission("p-1") // made by whoever makes credentials, and not the one that was admitted
	other, _ := s.admit("p-2")
	posing := other
	posing.Client = "p-1"
	nothing := linktest.Identity{Client: "p-1"}
	guess := linktest.Identity{Client: "p-1", User: "p-1", Password: "p-1.guess"}
	foreign := linktest.NewCA(s.t).Issue(s.t, "p-1")
	s.out(unknown, "nobody has admitted it")
	s.out(same, "it shows another credential of the same name")
	s.out(posing, "it shows another device's credential")
	s.out(nothing, "it shows nothing")
	s.out(guess, "it guesses")
	s.out(linktest.Identity{Client: "p-1", Certificate: &foreign}, "its certificate is somebody else's work")
	s.in(id)
}

func renewed(s *stage) {
	old, a := s.admit("p-1")
	d := s.in(old)
	fresh, b := s.admission("p-1")
	both := b
	both.Fingerprints, both.Verifiers = append(a.Fingerprints, b.Fingerprints...), append(a.Verifiers, b.Verifiers...)
	s.put(both)
	if s.kind == device.Certificate || s.g.Seal == nil { // who takes plain secrets has one at a time
		s.stays(d, "the session of the old credential, which is still good")
	}
	next := s.in(fresh)
	if s.kind == device.Certificate || s.g.Seal == nil {
		s.gone(d, linktest.Patience, "the session that a newer one of the same device replaces")
		again := s.in(old)
		s.put(b)
		s.gone(again, linktest.Patience, "the session of the old credential")
	} else {
		s.put(b)
	}
	s.out(old, "its credential was renewed")
	select {
	case <-next.Gone():
		next = s.in(fresh)
	default:
	}
	s.put(b)
	s.stays(next, "the session of the new credential")
}

func same(s *stage) {
	id, a := s.admit("p-1")
	d := s.in(id)
	s.put(a)
	a.Expires = time.Now().Add(time.Hour)
	s.put(a)
	s.stays(d, "a session whose admission was put again")
}

func expires(s *stage) {
	id, a := s.admission("p-1")
	var d Device
	for life := 3 * time.Second; d == nil; life *= 2 { // a busy machine takes longer to let it in
		a.Expires = time.Now().Add(life)
		s.put(a)
		var err error
		if d, err = s.Dial(id); err != nil && time.Now().Before(a.Expires) {
			s.t.Fatalf("p-1 is refused: %v", err)
		}
	}
	s.t.Cleanup(d.Close)
	s.gone(d, linktest.Patience, "a session whose admission has run out")
	s.out(id, "its admission has run out")
}

func away(s *stage) {
	gone, _ := s.admit("p-1")
	stays, _ := s.admit("p-2")
	changed, _ := s.admit("p-3")
	s.in(gone)
	s.Stop()
	removal := s.w.Dismiss("p-1")
	fresh, b := s.admission("p-3")
	change := s.w.Admit(b)
	late, c := s.admission("p-4")
	addition := s.w.Admit(c)
	s.Running = s.g.Start(s.t, s.w)
	for client, revision := range map[string]uint64{"p-1": removal, "p-3": change, "p-4": addition} {
		s.await(client, revision)
	}
	s.out(gone, "it was removed meanwhile")
	s.out(changed, "its credential was replaced meanwhile")
	s.in(stays)
	s.in(fresh)
	s.in(late)
}

func forgets(s *stage) {
	id, _ := s.admit("p-1")
	gone, _ := s.admit("p-2")
	s.remove("p-2")
	if s.Forget == nil {
		s.in(id)
		return // it has no memory but its configurator's, which is in the story before
	}
	s.Forget()
	if s.g.Reissued && s.kind != device.Certificate {
		linktest.Eventually(s.t, "it is told that the device needs another secret", func() bool {
			for _, t := range s.told() {
				if t.Client == "p-1" && t.Lost != "" {
					return true
				}
			}
			return false
		})
		again, a := s.admission("p-1")
		s.put(a)
		id = again
	}
	linktest.Eventually(s.t, "the device comes in again", func() bool {
		d, err := s.Dial(id)
		if err == nil {
			d.Close()
		}
		return err == nil
	})
	s.out(gone, "it was removed before")
}

func ownTopics(s *stage) {
	_, first, _ := linktest.Secret("p-1", device.Password)
	first.Topics = &api.Topics{Up: []string{"tele/{device}/#"}, Device: "plug"}
	told := s.await("p-1", s.put(first))
	id := s.w.AdmitOwn("p-2", *first.Topics)
	id.Client = "what its makers call it"
	switch {
	case s.g.OwnTopics && told.Lost != "", !s.g.OwnTopics && !strings.Contains(told.Lost, "topics"), told.Removed:
		s.t.Errorf("told %+v", told)
	case s.g.OwnTopics:
		s.in(id)
	default:
		s.out(id, "it has topics of its own")
	}
}
