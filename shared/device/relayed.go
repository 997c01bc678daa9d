package device

import (
	"crypto/sha256"
	"encoding/base32"
	"strings"
)

// RelayedPrefix begins every reference of RelayedRef. Others may begin so, too.
const RelayedPrefix = "r-"

// RelayedRef is the reference of a device that another one speaks for: via is the reference of that one (a Zigbee coordinator, the
// integration of a LoRaWAN network server), name is what it calls the device (a friendly name, a device EUI). Who may speak as via
// may so speak for the devices that were made relayed by it, and for no others. An EUI-64 is one name in all its spellings.
func RelayedRef(via Ref, name string) Ref {
	if eui := EUI(name); eui != "" {
		name = eui
	}
	h := sha256.Sum256([]byte(string(via) + "\x00" + name))
	return Ref(RelayedPrefix + strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(h[:20])))
}

// EUI brings an EUI-64 into its one form, 16 hexadecimal digits in lower case; "" if s is none. People write it with "-" or ":" between.
func EUI(s string) string {
	eui := strings.ToLower(strings.NewReplacer("-", "", ":", "").Replace(s))
	if len(eui) != 16 || strings.Trim(eui, "0123456789abcdef") != "" {
		return ""
	}
	return eui
}
