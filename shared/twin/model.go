package twin

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// Bounds on what people may write into a type's model.
const (
	maxParameters = 200
	maxValue      = 4096 // bytes of a parameter
	maxSilence    = 366 * 24 * time.Hour
	minLifetime   = 5 * time.Second
	maxLifetime   = 10 * 365 * 24 * time.Hour
)

// Validate returns ErrInvalid if no type can have the model.
func (m *Model) Validate() error {
	if err := m.validateProperties(); err != nil {
		return err
	}
	if err := m.validateInteractions(); err != nil {
		return err
	}
	if err := m.validatePayloads(); err != nil {
		return err
	}
	for _, f := range []struct{ name, value string }{{"model.driver", m.Driver}, {"model.provisioning", m.Provisioning}, {"model.template", m.Template}} {
		if f.value != "" && ID(f.value).Valid() != nil {
			return bad(f.name, "%.80q must be 1 to 64 letters, digits, '.', '-' or '_', beginning with a letter or digit", f.value)
		}
	}
	if err := m.validateChoices(); err != nil {
		return err
	}
	if len(m.Parameters) > maxParameters {
		return bad("model.parameters", "has %d entries, at most %d are taken", len(m.Parameters), maxParameters)
	}
	for k, v := range m.Parameters {
		if !tagPattern.MatchString(k) {
			return bad("model.parameters", "name %.80q must be 1 to 64 letters, digits or any of \"._:/=-\"", k)
		}
		if len(v) > maxValue || !utf8.ValidString(v) {
			return bad("model.parameters."+k, "must be text of at most %d bytes", maxValue)
		}
	}
	if m.OfflineAfter < 0 || m.OfflineAfter.D() > maxSilence {
		return bad("model.offlineAfter", "must be 0 to %s", Duration(maxSilence))
	}
	switch m.OfflineSeverity {
	case "", "info", "warning", "critical":
	default:
		return bad("model.offlineSeverity", "%.40q must be info, warning or critical, or \"\" for no alarm", m.OfflineSeverity)
	}
	if l := m.CredentialLifetime.D(); l != 0 && (l < minLifetime || l > maxLifetime) {
		return bad("model.credentialLifetime", "must be %s to %s, or 0 for a year", Duration(minLifetime), Duration(maxLifetime))
	}
	if m.OnDelete != "" && m.OnDelete != Archive && m.OnDelete != Erase {
		return bad("model.onDelete", "%.40q must be archive or erase", m.OnDelete)
	}
	return m.validateWatch()
}

// Bounds of a type's choices of provisioning models.
const (
	maxChoices   = 20
	maxCondition = 1000 // bytes
)

func (m *Model) validateChoices() error {
	if len(m.Choices) > maxChoices {
		return bad("model.choices", "has %d entries, at most %d are taken", len(m.Choices), maxChoices)
	}
	for i, c := range m.Choices {
		if strings.TrimSpace(c.If) == "" || len(c.If) > maxCondition || !utf8.ValidString(c.If) {
			return bad(fmt.Sprintf("model.choices[%d].if", i), "must be a condition of 1 to %d bytes; what counts without one is model.provisioning", maxCondition)
		}
		if ID(c.Model).Valid() != nil {
			return bad(fmt.Sprintf("model.choices[%d].model", i), "%.80q must be 1 to 64 letters, digits, '.', '-' or '_', beginning with a letter or digit", c.Model)
		}
	}
	return nil
}

// watched are the kinds of operations that are about twins of a type. Those about no twin (job, claim, delivery) are watched
// as the platform does.
var watched = []string{"archive", "assignment", "command", "provision"}

func (m *Model) validateWatch() error {
	for kind, w := range m.Watch {
		switch {
		case !slices.Contains(watched, kind):
			return bad("model.watch", "%.80q is no kind of operation that types say anything about: %s", kind, strings.Join(watched, ", "))
		case w.Deadline < 0 || w.Deadline.D() > maxSilence:
			return bad("model.watch."+kind+".deadline", "must be 0 to %s", Duration(maxSilence))
		case w.Retries < -1 || w.Retries > 100:
			return bad("model.watch."+kind+".retries", "%d must be 1 to 100, -1 for none, or 0 for as often as the platform does", w.Retries)
		}
		switch w.Severity {
		case "", "none", "info", "warning", "critical":
		default:
			return bad("model.watch."+kind+".severity", "%.40q must be info, warning, critical or none", w.Severity)
		}
	}
	return nil
}

// Formats are the names of the payload formats that need no driver (shared/driver/format).
var Formats = []string{"json", "cbor", "compact", "senml+json", "senml+cbor", "plain"}

// validatePayloads looks at what the model says of how the instances' payloads are read.
func (m *Model) validatePayloads() error {
	switch {
	case m.Format != "" && !slices.Contains(Formats, m.Format):
		return bad("model.format", "%.40q must be one of %s, or \"\" for the platform's own JSON or CBOR", m.Format, strings.Join(Formats, ", "))
	case m.Normalised && m.Driver == "":
		return bad("model.normalised", "goes with a driver, which normalises: name one in model.driver, or leave it out")
	case m.Reacts && m.Driver == "":
		return bad("model.reacts", "goes with a driver, whose on_event is called: name one in model.driver, or leave it out")
	case m.Format != "" && m.Driver != "":
		return bad("model.format", "%s and model.driver %s do not go together: payloads are read by one of them; leave the other out", m.Format, m.Driver)
	case m.Format == "compact" && !slices.ContainsFunc(m.Properties, func(p Property) bool { return p.ID != 0 }):
		return bad("model.format", "compact needs numbers: give the properties an id from 1")
	case m.Firmware != "":
		return propertyName("model.firmware", m.Firmware)
	}
	return nil
}
