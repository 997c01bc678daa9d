package artifacts

import (
	"mime"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/castor-iot/castor/shared/api"
	objects "github.com/castor-iot/castor/shared/artifact"
)

// Bounds of an artifact.
const (
	maxSize  = objects.MaxSize
	maxName  = 200 // bytes
	maxTags  = 20
	maxRefs  = 1000
	maxMedia = 200 // bytes
)

var (
	sumPattern      = regexp.MustCompile(`^[0-9a-f]{64}$`)
	tagPattern      = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._:=/+-]{0,63}$`)
	referrerPattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._:@+-]{0,127}$`)
)

// check refuses what cannot be an artifact, and brings the rest to one form.
func check(in *api.NewArtifact) error {
	in.SHA256 = strings.ToLower(in.SHA256)
	if in.MediaType == "" {
		in.MediaType = "application/octet-stream"
	}
	if err := checkName(in.Name); err != nil {
		return err
	}
	switch {
	case in.Size < 1 || in.Size > maxSize:
		return api.Invalid("size %d must be 1 to %d bytes", in.Size, int64(maxSize))
	case !sumPattern.MatchString(in.SHA256):
		return api.Invalid("sha256 %.80q must be the content's SHA-256 of 64 hexadecimal digits, as sha256sum prints it", in.SHA256)
	case len(in.Tags) > maxTags:
		return api.Invalid("tags: at most %d, not %d", maxTags, len(in.Tags))
	}
	for _, t := range in.Tags {
		if !tagPattern.MatchString(t) {
			return api.Invalid("tags: %.80q must be 1 to 64 letters, digits or any of \"._:=/+-\", beginning with a letter or digit", t)
		}
	}
	in.Tags = slices.Compact(slices.Sorted(slices.Values(in.Tags)))
	kind, parameters, err := mime.ParseMediaType(in.MediaType)
	if err != nil || len(in.MediaType) > maxMedia || !strings.Contains(kind, "/") {
		return api.Invalid("mediaType %.80q must be like application/gzip, of at most %d bytes", in.MediaType, maxMedia)
	}
	if in.MediaType = mime.FormatMediaType(kind, parameters); in.MediaType == "" {
		return api.Invalid("mediaType must be like text/plain; charset=utf-8")
	}
	return nil
}

// checkName wants what is a file name everywhere: downloads are saved under it.
func checkName(name string) error {
	if name == "" || len(name) > maxName || !utf8.ValidString(name) || strings.HasPrefix(name, ".") || strings.TrimSpace(name) != name ||
		strings.ContainsFunc(name, func(r rune) bool {
			return r == '/' || r == '\\' || r == ':' || unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == utf8.RuneError
		}) {
		return api.Invalid("name %.80q must be a file name of 1 to %d bytes without '/', '\\', ':' and control characters, not beginning with a dot", name, maxName)
	}
	return nil
}
