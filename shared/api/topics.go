package api

import "github.com/castor-iot/castor/shared/device"

// Topics are where a device speaks and listens whose firmware uses topics of its own.
type Topics = device.Topics
