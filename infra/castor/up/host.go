package up

import (
	_ "embed"
	"encoding/json"
	"fmt"

	"github.com/castor-iot/castor/shared/api"
)

// hostJSON is the type for computers that run castor-agent, its configuration and its rules. The console's first enrolment makes
// its type of the same file.
//
//go:embed host.json
var hostJSON []byte

// A kit is what host.json has.
type kit struct {
	Template api.Template  `json:"template"`
	Type     api.NewTwin   `json:"type"`
	Rules    []api.NewRule `json:"rules"`
}

func readKit() (k kit, err error) {
	if err := json.Unmarshal(hostJSON, &k); err != nil {
		return k, fmt.Errorf("host.json: %w", err)
	}
	return k, nil
}
