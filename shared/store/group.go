package store

import (
	"fmt"
	"strconv"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// GroupKey is the text under which GroupCount counts a value.
func GroupKey(v bson.RawValue) (string, error) {
	switch ClassOf(v.Type) {
	case ClassNull:
		return "", nil
	case ClassString:
		return v.StringValue(), nil
	case ClassBool:
		return strconv.FormatBool(v.Boolean()), nil
	case ClassDate:
		return v.Time().UTC().Format(time.RFC3339Nano), nil
	case ClassNumber:
		if f, ok := v.DoubleOK(); ok {
			return strconv.FormatFloat(f, 'f', -1, 64), nil
		}
		return strconv.FormatInt(v.AsInt64(), 10), nil
	}
	return "", fmt.Errorf("%w: cannot group by a value of type %s", ErrInvalid, v.Type)
}
