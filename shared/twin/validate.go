package twin

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Bounds on what people may write into a definition.
const (
	maxName       = 128 // bytes
	maxNote       = 512
	maxTags       = 32
	maxAggregates = 32
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
