package twin_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/castor-iot/castor/shared/driver/format"
	"github.com/castor-iot/castor/shared/twin"
)

// The domain cannot ask package format which formats there are; it names them itself.
func TestFormatsAreThoseThatThereAre(t *testing.T) {
	for _, name := range twin.Formats {
		if _, err := format.Decode(format.Name(name), nil, format.Options{}); err != nil && strings.Contains(err.Error(), "there is no format") {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, name := range []format.Name{format.JSON, format.CBOR, format.Compact, format.SenMLJSON, format.SenMLCBOR, format.Plain} {
		if !slices.Contains(twin.Formats, string(name)) {
			t.Errorf("no type can have format %s", name)
		}
	}
	if _, err := format.Decode("xml", nil, format.Options{}); !errors.Is(err, format.ErrInvalid) {
		t.Errorf("a format that is none: %v", err)
	}
}
