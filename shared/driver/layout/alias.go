package layout

import (
	"fmt"

	"go.yaml.in/yaml/v3"
)

// maxValues bounds the values of a file in YAML, those that an alias stands for counted each time.
const maxValues = 1_000_000

// bounded refuses a file of a few lines that stands for more than memory holds. YAML's reader has such a bound, but it begins anew
// with each value that reads itself. A text that is no YAML is not refused here: who reads it says why.
func bounded(text []byte) error {
	var n yaml.Node
	if yaml.Unmarshal(text, &n) == nil && values(&n, make(map[*yaml.Node]int)) > maxValues {
		return fmt.Errorf("it stands for more than %d values, with each alias (*name) written out; give fewer tests, or smaller ones", maxValues)
	}
	return nil
}

// values counts a node and what it is made of, hardly further than maxValues. What has an anchor is counted once; what contains
// itself is nothing here, for YAML's reader refuses it.
func values(n *yaml.Node, anchored map[*yaml.Node]int) int {
	if n.Alias != nil {
		n = n.Alias
	}
	if n.Anchor != "" {
		if count, known := anchored[n]; known {
			return count
		}
		anchored[n] = 0
	}
	count := 1
	for _, e := range n.Content {
		if count += values(e, anchored); count > maxValues {
			count = maxValues + 1
			break
		}
	}
	if n.Anchor != "" {
		anchored[n] = count
	}
	return count
}
