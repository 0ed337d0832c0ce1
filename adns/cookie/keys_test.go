package cookie

import (
	"encoding/hex"
	"math/rand/v2"
	"net/netip"
	"testing"
)

// unhex decodes a constant of a test.
func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// keys makes keys of hexadecimal secrets.
func keys(t testing.TB, secrets ...string) *Keys {
	t.Helper()
	var of []Secret
	for _, s := range secrets {
		of = append(of, Secret(unhex(t, s)))
	}
	k, err := NewKeys(of...)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// Secrets of RFC 9018 appendix A.
const (
	secretA = "e5e973e5a6b2a43f48e7dc849e37bfcf"
	secretB = "dd3bdf9344b678b185a6f5cb60fca715"
	secretC = "445536bcd2513298075a5d379663c962"
)

// TestRFC9018Vectors is appendix A: what the client sent, when, and what it got.
func TestRFC9018Vectors(t *testing.T) {
	tests := []struct {
		name   string
		keys   *Keys
		client string
		sent   string
		at     uint32 // when the sent one is judged
		status Status
		made   uint32
		got    string
	}{
		{"A.1 learns a cookie", keys(t, secretA), "198.51.100.100", "2464c4abcf10c957", 1559731985, ClientOnly,
			1559731985, "2464c4abcf10c957010000005cf79f111f8130c3eee29480"},
		{"A.2 renews it after 40 minutes", keys(t, secretA), "198.51.100.100",
			"2464c4abcf10c957010000005cf79f111f8130c3eee29480", 1559734385, Aging,
			1559734385, "2464c4abcf10c957010000005cf7a871d4a564a1442aca77"},
		// The example's answer comes 112 minutes after the cookie was made, so it is judged at an earlier time here.
		{"A.3 reserved octets are hashed as they came", keys(t, secretA), "203.0.113.203",
			"fc93fc62807ddb8601abcdef5cf78f71a314227b6679ebf5", 1559727985, Fresh,
			1559734700, "fc93fc62807ddb86010000005cf7a9acf73a7810aca2381e"},
		{"A.4 IPv6, made with the previous secret", keys(t, secretC, secretB), "2001:db8:220:1:59de:d0f4:8769:82b8",
			"22681ab97d52c298010000005cf7c57926556bd0934c72f8", 1559741961, Aging,
			1559741961, "22681ab97d52c298010000005cf7c609a6bb79d16625507a"},
		{"A.4 before the new secret is active", keys(t, secretB, secretC), "2001:db8:220:1:59de:d0f4:8769:82b8",
			"22681ab97d52c298010000005cf7c609a6bb79d16625507a", 1559741961, Aging,
			1559741817, "22681ab97d52c298010000005cf7c57926556bd0934c72f8"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			client, sent := netip.MustParseAddr(test.client), unhex(t, test.sent)
			if got := test.keys.Verify(sent, client, test.at); got != test.status {
				t.Errorf("Verify: got %d, want %d", got, test.status)
			}
			if got := hex.EncodeToString(test.keys.Make(nil, sent, client, test.made)); got != test.got {
				t.Errorf("Make: got %s, want %s", got, test.got)
			}
		})
	}
}

func TestVerifyTimes(t *testing.T) {
	k := keys(t, secretA)
	client := netip.MustParseAddr("192.0.2.1")
	const far = 3_000_000_000 // past 2^31
	for _, made := range []uint32{1559731985, far, 0xFFFFFF00, 10} {
		c := k.Make(nil, []byte("clientck"), client, made)
		for _, test := range []struct {
			age  int32
			want Status
		}{
			{0, Fresh}, {1800, Fresh}, {1801, Aging}, {3600, Aging}, {3601, Bad}, {1 << 30, Bad}, {-1 << 31, Bad},
			{-300, Fresh}, {-301, Bad},
		} {
			if got := k.Verify(c, client, made+uint32(test.age)); got != test.want {
				t.Errorf("made %d, age %d: got %d, want %d", made, test.age, got, test.want)
			}
		}
	}
}

func TestVerifyRejectsWhatWasChanged(t *testing.T) {
	const now = 1559731985
	k := keys(t, secretA, secretB)
	for _, client := range []string{"192.0.2.1", "2001:db8::1"} {
		addr := netip.MustParseAddr(client)
		c := k.Make(nil, []byte("clientck"), addr, now)
		for bit := range len(c) * 8 {
			c[bit/8] ^= 1 << (bit % 8)
			if got := k.Verify(c, addr, now); got != Bad {
				t.Errorf("%s: bit %d flipped: got %d, want Bad", client, bit, got)
			}
			c[bit/8] ^= 1 << (bit % 8)
		}
		if got := k.Verify(c, addr.Next(), now); got != Bad {
			t.Errorf("%s: cookie of the address before: got %d, want Bad", client, got)
		}
		if got := keys(t, secretC).Verify(c, addr, now); got != Bad {
			t.Errorf("%s: another secret: got %d, want Bad", client, got)
		}
		if got := RandomKeys().Verify(c, addr, now); got != Bad {
			t.Errorf("%s: random keys: got %d, want Bad", client, got)
		}
		if got := k.Verify(c, addr, now); got != Fresh {
			t.Errorf("%s: unchanged: got %d, want Fresh", client, got)
		}
	}
}

// TestLengths is RFC 7873 section 5.2.2: 8, or 16 to 40.
func TestLengths(t *testing.T) {
	k := keys(t, secretA)
	for n := range 64 {
		want := Malformed
		switch {
		case n == 8:
			want = ClientOnly
		case n >= 16 && n <= 40:
			want = Bad
		}
		if got := k.Verify(make([]byte, n), netip.IPv4Unspecified(), 0); got != want {
			t.Errorf("Verify of %d octets: got %d, want %d", n, got, want)
		}
	}
}

func TestNewKeysBounds(t *testing.T) {
	for _, n := range []int{0, MaxSecrets + 1} {
		if _, err := NewKeys(make([]Secret, n)...); err == nil {
			t.Errorf("%d secrets: got no error", n)
		}
	}
	if one, other := RandomKeys(), RandomKeys(); *one == *other {
		t.Error("two random keys are equal")
	}
}

func TestMakeAppendsInPlace(t *testing.T) {
	k := keys(t, secretA)
	client := netip.MustParseAddr("198.51.100.100")
	buffer := append(make([]byte, 0, 64), unhex(t, "2464c4abcf10c957")...)
	got := k.Make(buffer[:0], buffer, client, 1559731985)
	if want := "2464c4abcf10c957010000005cf79f111f8130c3eee29480"; hex.EncodeToString(got) != want {
		t.Errorf("got %x, want %s", got, want)
	}
	if n := testing.AllocsPerRun(100, func() { k.Make(buffer[:0], buffer, client, 1); k.Verify(got, client, 1) }); n != 0 {
		t.Errorf("got %v allocations, want 0", n)
	}
}

func FuzzVerify(f *testing.F) {
	k := keys(f, secretA, secretB)
	f.Add([]byte("2464c4ab"), []byte{192, 0, 2, 1}, uint32(7))
	f.Add(k.Make(nil, []byte("clientck"), netip.MustParseAddr("192.0.2.1"), 7), []byte{192, 0, 2, 1}, uint32(7))
	f.Fuzz(func(t *testing.T, option, address []byte, now uint32) {
		client, _ := netip.AddrFromSlice(address)
		status := k.Verify(option, client, now)
		n := len(option)
		if wrongLength := n != 8 && (n < 16 || n > 40); (status == Malformed) != wrongLength {
			t.Errorf("Verify of %d octets: got %d", n, status)
		}
		if status == Malformed {
			return
		}
		c := k.Make(nil, option, client, now)
		if got := k.Verify(c, client, now); got != Fresh {
			t.Errorf("own cookie: got %d, want Fresh", got)
		}
	})
}

func BenchmarkMake(b *testing.B) {
	k, buffer, client := RandomKeys(), make([]byte, 0, 64), netip.MustParseAddr("192.0.2.1")
	b.ReportAllocs()
	for b.Loop() {
		k.Make(buffer, []byte("clientck"), client, 1)
	}
}

func BenchmarkVerify(b *testing.B) {
	k, client := RandomKeys(), netip.MustParseAddr("192.0.2.1")
	c := k.Make(nil, []byte("clientck"), client, rand.Uint32())
	now := uint32(c[12])<<24 | uint32(c[13])<<16 | uint32(c[14])<<8 | uint32(c[15])
	b.ReportAllocs()
	for b.Loop() {
		if k.Verify(c, client, now) != Fresh {
			b.Fatal("not fresh")
		}
	}
}
