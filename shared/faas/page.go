package faas

import (
	"strconv"

	"github.com/castor-iot/castor/shared/api"
)

// The limits of one page of a list.
const (
	DefaultLimit = 100
	MaxLimit     = 1000
)

// Limit is the call's query parameter "limit": how many items a page may have, DefaultLimit if it names none.
func (c *Call) Limit() (int, error) {
	s := c.Query.Get("limit")
	if s == "" {
		return DefaultLimit, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 || n > MaxLimit {
		return 0, api.Invalid("limit %.20q must be a number from 1 to %d", s, MaxLimit)
	}
	return n, nil
}
