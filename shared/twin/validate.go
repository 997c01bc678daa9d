package twin

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Bounds on what people may write into a definition.
const (
	maxName       = 128 // bytes
	maxNote       = 512
	maxValue      = 4096 // of a parameter
	maxTags       = 32
	maxAggregates = 32
	maxParameters = 200
	maxSilence    = 366 * 24 * time.Hour
	minLifetime   = 5 * time.Second
	maxLifetime   = 10 * 365 * 24 * time.Hour
)

var (
	tagPattern   = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._:/=-]{0,63}$`)
	groupPattern = regexp.MustCompile(`^[a-z0-9][a-z0-9._@-]{0,63}$`)
)

// Validate returns ErrInvalid, naming the field and what would be right, if a twin of kind k cannot have the definition.
// Whether the type, the aggregates and the group it names exist is not looked at.
func (d *Definition) Validate(k Kind) error {
	switch {
	case k != Instance && k != Type && k != Aggregate:
		return bad("kind", "%.40q must be instance, type or aggregate", k)
	case k == Instance && d.Type == "":
		return bad("definition.type", "must name the type of the instance")
	case k != Instance && d.Type != "":
		return bad("definition.type", "goes with instances only")
	case k != Type && d.Model != nil:
		return bad("definition.model", "goes with types only")
	case k == Instance && !d.Phase.Valid():
		return bad("definition.phase", "%.40q must be onboarding, provisioning, operational, suspended or retired", d.Phase)
	case k != Instance && d.Phase != "":
		return bad("definition.phase", "goes with instances only")
	case d.Owner != "" && !groupPattern.MatchString(d.Owner):
		return bad("definition.owner", "%.80q must be the id of a group", d.Owner)
	case len(d.Aggregates) > maxAggregates:
		return bad("definition.aggregates", "has %d entries, at most %d are taken", len(d.Aggregates), maxAggregates)
	case len(d.Tags) > maxTags:
		return bad("definition.tags", "has %d entries, at most %d are taken", len(d.Tags), maxTags)
	}
	if d.Type != "" {
		if err := d.Type.Valid(); err != nil {
			return fmt.Errorf("definition.type: %w", err)
		}
	}
	if err := text("definition.name", d.Name, maxName); err != nil {
		return err
	}
	for i, a := range d.Aggregates {
		if err := a.Valid(); err != nil {
			return fmt.Errorf("definition.aggregates: %w", err)
		}
		if slices.Contains(d.Aggregates[:i], a) {
			return bad("definition.aggregates", "names %s twice", a)
		}
	}
	for i, t := range d.Tags {
		if !tagPattern.MatchString(t) {
			return bad("definition.tags", "%.80q must be 1 to 64 letters, digits or any of \"._:/=-\", beginning with a letter or digit", t)
		}
		if slices.Contains(d.Tags[:i], t) {
			return bad("definition.tags", "has %s twice", t)
		}
	}
	if d.Location != nil {
		if err := d.Location.Validate(); err != nil {
			return err
		}
	}
	if d.Model != nil {
		return d.Model.Validate()
	}
	return nil
}

// Validate returns ErrInvalid if the location cannot be one.
func (l *Location) Validate() error {
	if err := text("location.region", l.Region, 64); err != nil {
		return err
	}
	if err := text("location.site", l.Site, maxName); err != nil {
		return err
	}
	if (l.Latitude == nil) != (l.Longitude == nil) {
		return bad("location", "latitude and longitude go together")
	}
	if l.Latitude == nil {
		return nil
	}
	if !(math.Abs(*l.Latitude) <= 90) {
		return bad("location.latitude", "%g must be -90 to 90 degrees", *l.Latitude)
	}
	if !(math.Abs(*l.Longitude) <= 180) {
		return bad("location.longitude", "%g must be -180 to 180 degrees", *l.Longitude)
	}
	return nil
}

// Validate returns ErrInvalid if no type can have the model.
func (m *Model) Validate() error {
	if len(m.Properties) > MaxProperties {
		return bad("model.properties", "has %d entries, at most %d are taken", len(m.Properties), MaxProperties)
	}
	seen := make(map[string]bool, len(m.Properties))
	for i := range m.Properties {
		p := &m.Properties[i]
		if err := p.validate(); err != nil {
			return err
		}
		if seen[p.Name] {
			return bad("model.properties", "has %q twice", p.Name)
		}
		seen[p.Name] = true
	}
	for _, f := range []struct{ name, value string }{{"model.provisioning", m.Provisioning}, {"model.template", m.Template}} {
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

func (p *Property) validate() error {
	field := func(f string) string { return fmt.Sprintf("model.properties %.128q: %s", p.Name, f) }
	if p.Name == "" {
		return bad("model.properties", "each must have a name")
	}
	if err := text("model.properties: name", p.Name, maxName); err != nil {
		return err
	}
	if strings.ContainsFunc(p.Name, func(r rune) bool {
		return unicode.IsSpace(r) || unicode.IsControl(r) || strings.ContainsRune("<>=!", r)
	}) {
		return bad("model.properties", "name %.128q must have no white space and none of \"<>=!\", else no rule could name it: write it like cpu.percent", p.Name)
	}
	if err := text(field("unit"), p.Unit, 32); err != nil {
		return err
	}
	if strings.ContainsFunc(p.Unit, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return bad(field("unit"), "%.40q must be a UCUM code like Cel, %% or m/s", p.Unit)
	}
	switch p.Type {
	case "", "number":
	case "boolean", "string":
		if p.Min != nil || p.Max != nil {
			return bad(field("min and max"), "go with numbers only")
		}
	default:
		return bad(field("type"), "%.40q must be number, boolean or string", p.Type)
	}
	if p.Min != nil && p.Max != nil && !(*p.Min <= *p.Max) {
		return bad(field("min"), "%g must not be above max, %g", *p.Min, *p.Max)
	}
	return text(field("note"), p.Note, maxNote)
}

// text checks words for people: bounded, and nothing that would spoil a terminal or a page.
func text(field, s string, most int) error {
	switch {
	case len(s) > most:
		return bad(field, "has %d bytes, at most %d are taken", len(s), most)
	case !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl):
		return bad(field, "must be text without control characters")
	}
	return nil
}

func bad(field, format string, a ...any) error {
	return fmt.Errorf("%w: %s %s", ErrInvalid, field, fmt.Sprintf(format, a...))
}
