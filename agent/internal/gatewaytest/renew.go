package gatewaytest

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"slices"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/device"
)

// Renewals is how many renewed certificates were confirmed.
func (p *Platform) Renewals() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.renewals
}

// RenewalCSRs are those by which the next certificate was asked for.
func (p *Platform) RenewalCSRs() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.csrs)
}

// Good is how many certificates let a device in.
func (p *Platform) Good(ref device.Ref) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.good[ref])
}

func fingerprint(der []byte) string {
	sum := sha256.Sum256(der)
	return hex.EncodeToString(sum[:])
}

// issue signs a certificate that lets ref in.
func (p *Platform) issue(ref device.Ref, csr string) (string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	text, err := p.CA.Sign(csr, string(ref))
	if err == nil {
		block, _ := pem.Decode([]byte(text))
		p.good[ref] = append(p.good[ref], fingerprint(block.Bytes))
	}
	return text, err
}

// admits tells whether the device may come in with this certificate. The caller holds no lock.
func (p *Platform) admits(ref device.Ref, cert *x509.Certificate) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.Refuse != nil && p.Refuse(cert.SerialNumber.String()) {
		return false
	}
	return cert.Subject.CommonName == string(ref) && slices.Contains(p.good[ref], fingerprint(cert.Raw))
}

// renew makes the next certificate; ok is false if there is to be no answer.
func (p *Platform) renew(ref device.Ref, payload []byte) (answer []byte, ok bool) {
	var in api.Renewal
	err := json.Unmarshal(payload, &in)
	p.mu.Lock()
	p.csrs = append(p.csrs, in.CSR)
	denied := p.DenyRenew > 0
	if denied {
		p.DenyRenew--
	}
	p.mu.Unlock()
	if denied {
		return nil, false
	}
	var out api.RenewAnswer
	if err == nil {
		out.Certificate, err = p.issue(ref, in.CSR)
	}
	if err != nil {
		out.Reason = err.Error()
	}
	answer, _ = json.Marshal(out)
	return answer, true
}

// adopted ends all certificates of the device but the one shown.
func (p *Platform) adopted(ref device.Ref, shown *x509.Certificate) {
	p.mu.Lock()
	p.renewals++
	p.good[ref] = []string{fingerprint(shown.Raw)}
	then := p.Confirming
	p.mu.Unlock()
	if then != nil {
		then()
	}
}
