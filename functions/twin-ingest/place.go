package twiningest

import (
	"context"

	"github.com/castor-iot/castor/shared/telemetry"
	"github.com/castor-iot/castor/shared/twin"
)

// place sorts out what the gateway may not say: messages of twins whose devices have no place at it, and of generations that
// were never issued. They change nothing and are to be sent again: a device that has just got its place may be ahead of
// what is remembered, and one that has left is heard by its new gateway. What is too old is refused, as ever.
func (b *batch) place(ctx context.Context, gateway string) error {
	claimed := make(map[twin.ID]int64, len(b.subjects))
	for _, s := range b.subjects {
		for _, i := range s.messages {
			if g := b.messages[i].Generation; g >= s.doc.Value.Live.Generation {
				claimed[s.id] = max(g, claimed[s.id])
			}
		}
	}
	issued, err := b.f.places.At(ctx, gateway, claimed)
	if err != nil {
		return err
	}
	foreign, open := 0, b.subjects[:0:0]
	for _, s := range b.subjects {
		newest, here := issued[s.id]
		for _, i := range s.messages {
			m := &b.messages[i]
			if m.Generation < s.doc.Value.Live.Generation || here && m.Generation <= newest || s.ends(m) {
				continue
			}
			if s.ended(m) {
				b.outcomes[i] = telemetry.Refused
				continue
			}
			b.outcomes[i] = telemetry.Retry
			foreign++
		}
		b.refuseOld(s)
		for _, i := range s.messages {
			if b.outcomes[i] == "" {
				open = append(open, s)
				break
			}
		}
	}
	b.subjects = open
	if foreign > 0 {
		b.f.p.Log.WarnContext(ctx, "messages of twins without a place at the gateway, or of generations that were not issued",
			"function", b.f.p.Part, "gateway", gateway, "messages", foreign)
	}
	return nil
}

// ends tells whether the message ends the session that the twin has, at the gateway where it has it. A device whose place
// was taken away is thrown out, and its gateway must be able to say so.
func (s *subject) ends(m *telemetry.Message) bool {
	live := &s.doc.Value.Live
	return leaves(m) && live.Presence.Connected && m.Session == live.Presence.Session && m.Gateway == live.Presence.Gateway && m.Generation == live.Generation
}

// ended tells whether the message ends a session older than the twin's: no news, and no device waits to send it elsewhere.
func (s *subject) ended(m *telemetry.Message) bool {
	return leaves(m) && m.Session < s.doc.Value.Live.Presence.Session
}

func leaves(m *telemetry.Message) bool {
	on, ok := connected(m)
	return m.Kind == telemetry.Presence && ok && !on
}
