package platform_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/castor-iot/castor/shared/platform"
)

func TestLogLevel(t *testing.T) {
	for value, want := range map[string]string{
		"": "info warn error", "info": "info warn error", "debug": "debug info warn error", " warn ": "warn error", "error": "error",
		"loud": "must be debug, info, warn or error", "DEBUG": "must be debug, info, warn or error",
	} {
		t.Run(value, func(t *testing.T) {
			env := func(string) string { return value }
			if _, err := platform.LogLevel(env); err != nil {
				if !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "CASTOR_LOG") {
					t.Fatalf("got %v", err)
				}
				return
			}
			var out bytes.Buffer
			log := platform.LogTo(&out, env)
			log.Debug("debug")
			log.Info("info")
			log.Warn("warn")
			log.Error("error")
			var got []string
			for line := range strings.Lines(out.String()) {
				_, msg, _ := strings.Cut(line, `"msg":"`)
				got = append(got, strings.TrimSuffix(strings.TrimSpace(msg), `"}`))
			}
			if strings.Join(got, " ") != want {
				t.Fatalf("logged %q, want %q", got, want)
			}
		})
	}
}
