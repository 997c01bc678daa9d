package main

import (
	"context"
	"errors"

	"github.com/castor-iot/castor/connectors/events"
)

var eventsCommand = command{
	name: "events",
	does: "brings events, schedules and queued calls to functions",
	settings: append(common[:len(common):len(common)],
		setting{name: "CASTOR_WORKERS", what: "how many queued calls are made at a time", otherwise: "8", example: "32", check: checkNumber(1, 1000)},
		setting{name: "CASTOR_CALLBACKS", what: "where results of queued calls may go: public addresses, or private ones too", otherwise: "public",
			example: "private", check: checkWord("public", "private")},
	),
	secrets: append([]string{
		"castor-part-events: the part's own, traded for tokens",
		"basic-auth-user: who may list functions at the user gateway",
		"basic-auth-password: that user's password",
	}, commonSecrets...),
	run: runEvents,
}

func runEvents(ctx context.Context, p *process) error {
	user, err := p.secret("basic-auth-user")
	if err != nil {
		return err
	}
	password, err := p.secret("basic-auth-password")
	if err != nil {
		return err
	}
	b, err := p.connect(ctx, "castor-connector events")
	if b == nil {
		return err
	}
	part, err := p.platform(b, "events", "")
	if err != nil {
		return errors.Join(err, b.Close())
	}
	config := events.Config{
		Bus: b, Gateway: part.Gateway, User: string(user), Password: string(password), Authorize: part.API.Authorize, Renew: part.API.Renew, API: part.API,
		Workers: int(p.settings.number("CASTOR_WORKERS")), PrivateCallbacks: p.settings.get("CASTOR_CALLBACKS") == "private", Log: p.log,
	}
	if part.HTTP != nil {
		config.Transport = part.HTTP.Transport
	}
	c := events.New(config)
	p.serving(b, c.Ready)
	return errors.Join(c.Run(ctx), b.Close())
}
