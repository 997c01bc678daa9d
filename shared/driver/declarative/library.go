package declarative

import (
	"embed"

	"slices"
	"strings"
)

//go:embed library/*.yaml dialects/*.yaml
var shipped embed.FS

// Shipped are the names of the documents that come with the platform: payload formats that many devices have (cayenne-lpp), and
// the dialects of firmware that nobody changes (tasmota, shelly-gen2, zigbee2mqtt).
func Shipped() (names []string) {
	for _, dir := range []string{"library", "dialects"} {
		entries, _ := shipped.ReadDir(dir)
		for _, e := range entries {
			names = append(names, strings.TrimSuffix(e.Name(), ".yaml"))
		}
	}
	slices.Sort(names)
	return names
}

// Document is a shipped document as it was written; false if there is none of that name.
func Document(name string) ([]byte, bool) {
	for _, dir := range []string{"library", "dialects"} {
		if b, err := shipped.ReadFile(dir + "/" + strings.ReplaceAll(name, "/", "") + ".yaml"); err == nil {
			return b, true
		}
	}
	return nil, false
}
