package bus

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"time"

	"github.com/castor-iot/castor/shared/event"
	"github.com/nats-io/nats.go/jetstream"
)

// Streams and their subjects.
const (
	eventStream = "CASTOR_EVENTS"
	callStream  = "CASTOR_CALLS"
	deadStream  = "CASTOR_DEAD"

	eventSubject    = "castor.event."    // + topic
	callSubject     = "castor.call."     // + function
	deadSubject     = "castor.dead."     // + stream + consumer
	downlinkSubject = "castor.downlink." // + gateway
)

// EventAge is how long an event is kept for consumers that have not handled it yet.
const EventAge = 7 * 24 * time.Hour

const maxStreamBytes = 1 << 30

var streams = []jetstream.StreamConfig{{
	Name:        eventStream,
	Description: "events of the platform",
	Subjects:    []string{eventSubject + ">"},
	MaxAge:      EventAge,
	MaxBytes:    maxStreamBytes,
	Duplicates:  2 * time.Minute,
}, {
	Name:        callStream,
	Description: "asynchronous function calls",
	Subjects:    []string{callSubject + "*"},
	Retention:   jetstream.WorkQueuePolicy,
	Discard:     jetstream.DiscardNew, // a queue that is full refuses; it never forgets a call it has accepted
	MaxAge:      EventAge,
	MaxBytes:    maxStreamBytes,
}, {
	Name:        deadStream,
	Description: "events and calls that were given up, for people to look at",
	Subjects:    []string{deadSubject + ">"},
	MaxAge:      30 * 24 * time.Hour,
	MaxBytes:    maxStreamBytes / 4,
	Duplicates:  time.Hour,
}}

func (b *Bus) createStreams(ctx context.Context) error {
	for _, s := range streams {
		s.Storage, s.Replicas = jetstream.FileStorage, b.replicas
		old, err := b.js.Stream(ctx, s.Name)
		if err == nil {
			s.Replicas = max(s.Replicas, old.CachedInfo().Config.Replicas)
		} else if !errors.Is(err, jetstream.ErrStreamNotFound) {
			return fmt.Errorf("stream %s: %w", s.Name, b.cause(err))
		}
		if _, err := b.js.CreateOrUpdateStream(ctx, s); err != nil {
			return fmt.Errorf("stream %s: %w", s.Name, b.cause(err))
		}
	}
	return nil
}

var (
	validTopic = regexp.MustCompile(`^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$`)
	validName  = regexp.MustCompile(`^[A-Za-z0-9_-]{1,128}$`)
)

func checkName(what, name string) error {
	if !validName.MatchString(name) {
		return fmt.Errorf("%s %q: %w: want letters, digits, '-' and '_', 128 at most", what, name, ErrInvalid)
	}
	return nil
}

func topicSubject(topic event.Topic) (string, error) {
	if len(topic) > 128 || !validTopic.MatchString(string(topic)) {
		return "", fmt.Errorf("topic %q: %w: want words of letters, digits, '-' and '_' with dots between", topic, ErrInvalid)
	}
	return eventSubject + string(topic), nil
}

func topicSubjects(topics []event.Topic) ([]string, error) {
	if len(topics) == 0 {
		return nil, fmt.Errorf("topics: %w: want one at least", ErrInvalid)
	}
	seen := make(map[string]bool, len(topics))
	subjects := make([]string, 0, len(topics))
	for _, topic := range topics {
		subject, err := topicSubject(topic)
		if err != nil {
			return nil, err
		}
		if !seen[subject] {
			seen[subject] = true
			subjects = append(subjects, subject)
		}
	}
	return subjects, nil
}
