package bus

import (
	"encoding/hex"
	"fmt"
	"strings"
)

const maxKey = 256

// encodeKey writes a key with the letters that JetStream allows. Others become "=" and two hexadecimal digits: device
// references have colons, and a dot would be an end of a word.
func encodeKey(key string) (string, error) {
	if key == "" || len(key) > maxKey {
		return "", fmt.Errorf("%w: a key has 1 to %d bytes", ErrInvalid, maxKey)
	}
	var s strings.Builder
	for i := range len(key) {
		switch c := key[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '_', c == '/':
			s.WriteByte(c)
		default:
			fmt.Fprintf(&s, "=%02x", c)
		}
	}
	return s.String(), nil
}

func decodeKey(name string) (string, error) {
	var s strings.Builder
	for rest := name; rest != ""; {
		before, after, found := strings.Cut(rest, "=")
		s.WriteString(before)
		if !found {
			break
		}
		if len(after) < 2 {
			return "", fmt.Errorf("key %q: %w", name, ErrInvalid)
		}
		c, err := hex.DecodeString(after[:2])
		if err != nil {
			return "", fmt.Errorf("key %q: %w: %w", name, ErrInvalid, err)
		}
		s.Write(c)
		rest = after[2:]
	}
	return s.String(), nil
}
