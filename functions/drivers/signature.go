package drivers

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/hex"
	"slices"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/driver"
)

// checkSignature refuses a signature that is not the key's over the driver, and brings the key to the one form in which it is kept.
func checkSignature(in *api.PublishDriver) error {
	if in.Key == "" && in.Signature == "" {
		return nil
	}
	key, err := base64.StdEncoding.Strict().DecodeString(in.Key)
	if err != nil || len(key) != ed25519.PublicKeySize {
		return api.Invalid("key must be the maker's Ed25519 public key, %d bytes in base64", ed25519.PublicKeySize)
	}
	if weak(key) {
		return api.Invalid("key is of small order: everybody can sign for it; make one with \"castor driver key\" or openssl")
	}
	signature, err := base64.StdEncoding.Strict().DecodeString(in.Signature)
	if err != nil || len(signature) != ed25519.SignatureSize {
		return api.Invalid("signature must be an Ed25519 signature, %d bytes in base64", ed25519.SignatureSize)
	}
	digest, err := driver.Digest(&in.Driver)
	if err != nil {
		return api.Invalid("%w", err)
	}
	if !ed25519.Verify(key, digest, signature) {
		return api.Invalid("signature is not this key's over this driver: sign driver.Digest of all that is sent, title, maker, license, note and limit too")
	}
	in.Key = base64.StdEncoding.EncodeToString(key)
	return nil
}

// smallOrder are the points of Ed25519 whose order divides 8, without their sign: 0, 1, -1, the two of order 8, and 0 and 1 written as
// numbers above the field's. A signature that anybody can make is good for each of them.
var smallOrder = []string{
	"0000000000000000000000000000000000000000000000000000000000000000",
	"0100000000000000000000000000000000000000000000000000000000000000",
	"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
	"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
	"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
}

func weak(key []byte) bool {
	y := slices.Clone(key)
	y[len(y)-1] &= 0x7f
	return slices.Contains(smallOrder, hex.EncodeToString(y))
}
