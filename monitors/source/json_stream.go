package source

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// Limits of what is decoded at once: "{}," takes many times its length in memory.
const (
	maxObject  = 64 << 10 // bytes of one server in a list
	maxServers = 65536    // in a list
)

// decodeSmall reads a value of at most maxObject bytes.
func decodeSmall(dec *json.Decoder, v any) error {
	var text json.RawMessage
	if err := dec.Decode(&text); err != nil {
		return err
	}
	if len(text) > maxObject {
		return fmt.Errorf("a value has %d bytes, above %d KiB", len(text), maxObject>>10)
	}
	return json.Unmarshal(text, v)
}

// decodeList reads a list of at most maxServers elements.
func decodeList[T any](dec *json.Decoder, out *[]T) error {
	list := []T{}
	err := eachElement(dec, func() error {
		if len(list) == maxServers {
			return fmt.Errorf("a list has more than %d elements", maxServers)
		}
		var one T
		err := decodeSmall(dec, &one)
		list = append(list, one)
		return err
	})
	*out = list
	return err
}

// eachElement reads an array and calls do at each of its elements, which do must read whole.
func eachElement(dec *json.Decoder, do func() error) error {
	if err := delimiter(dec, '['); err != nil {
		return err
	}
	for dec.More() {
		if err := do(); err != nil {
			return err
		}
	}
	return delimiter(dec, ']')
}

// eachKey reads an object and calls do at each of its values, which do must read whole.
func eachKey(dec *json.Decoder, do func(key string) error) error {
	if err := delimiter(dec, '{'); err != nil {
		return err
	}
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return err
		}
		name, _ := key.(string)
		if err := do(name); err != nil {
			return err
		}
	}
	return delimiter(dec, '}')
}

func delimiter(dec *json.Decoder, want json.Delim) error {
	token, err := dec.Token()
	if err != nil {
		return err
	}
	if token != want {
		return fmt.Errorf("want %v, got %.40q", want, fmt.Sprint(token))
	}
	return nil
}

// skipValue reads a value whole and forgets it, without holding it.
func skipValue(dec *json.Decoder) error {
	for depth := 0; ; {
		token, err := dec.Token()
		if err != nil {
			return err
		}
		switch token {
		case json.Delim('{'), json.Delim('['):
			if depth++; depth > maxJSONDepth {
				return fmt.Errorf("nested more than %d deep", maxJSONDepth)
			}
		case json.Delim('}'), json.Delim(']'):
			depth--
		}
		if depth == 0 {
			return nil
		}
	}
}

// atEnd checks that nothing follows the value.
func atEnd(dec *json.Decoder) error {
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		if err == nil {
			err = errors.New("more data after the value")
		}
		return err
	}
	return nil
}

// notJSON says what is wrong with an answer that is not the JSON it should be. What broke off the answer comes first.
func notJSON(dec *json.Decoder, err error) error {
	if isBroken(err) {
		return err
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("answer is not valid JSON: it ends early, at byte %d", dec.InputOffset())
	}
	return fmt.Errorf("answer is not the JSON that is expected: at byte %d: %w", dec.InputOffset(), err)
}
