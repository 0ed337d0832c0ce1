package transfer

import (
	"fmt"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// BenchmarkWholeZone sends a zone of 20,000 addresses, signed.
func BenchmarkWholeZone(b *testing.B) {
	var lines []string
	for i := range 20_000 {
		lines = append(lines, fmt.Sprintf("host-%d.example.test. 60 IN A 10.0.%d.%d", i, i>>8, i&255))
	}
	tr := New(Options{Keys: testKeys(b)})
	tr.Published(everybody(b), source{newZone(b, 1, lines...)})
	packed, _ := twin(b, axfr(), "fetch.", dns.HmacSHA256, testSecret, "", false, nil)
	q := axfr()
	b.ReportAllocs()
	for b.Loop() {
		if err := tr.Serve(b.Context(), packed, q, client, func([]byte) error { return nil }); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkVerify checks the signature of a query.
func BenchmarkVerify(b *testing.B) {
	keys := testKeys(b)
	packed, _ := twin(b, question(), "fetch.", dns.HmacSHA256, testSecret, "", false, nil)
	now := time.Now()
	b.ReportAllocs()
	for b.Loop() {
		if sig := keys.Verify(packed, now); sig.Key() == "" {
			b.Fatal("the signature does not hold")
		}
	}
}
