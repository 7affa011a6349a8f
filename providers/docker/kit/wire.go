package kit

import (
	"encoding/binary"
	"errors"
)

// The wire types of Protocol Buffers (https://protobuf.dev/programming-guides/encoding).
const (
	wireVarint = 0
	wire64     = 1
	wireBytes  = 2
	wire32     = 5
)

var errWire = errors.New("not a message of Protocol Buffers")

// fields calls take for each field of a message: with its number, and its value as a number or as bytes.
func fields(msg []byte, take func(field int, n uint64, b []byte) error) error {
	for len(msg) > 0 {
		tag, size := binary.Uvarint(msg)
		if size <= 0 {
			return errWire
		}
		msg = msg[size:]
		var n uint64
		var b []byte
		switch tag & 7 {
		case wireVarint:
			if n, size = binary.Uvarint(msg); size <= 0 {
				return errWire
			}
		case wireBytes:
			length, prefix := binary.Uvarint(msg)
			if prefix <= 0 || length > uint64(len(msg)-prefix) {
				return errWire
			}
			size = prefix + int(length)
			b = msg[prefix:size]
		case wire64, wire32:
			size = 8
			if tag&7 == wire32 {
				size = 4
			}
			if len(msg) < size {
				return errWire
			}
		default:
			return errWire
		}
		msg = msg[size:]
		if err := take(int(tag>>3), n, b); err != nil {
			return err
		}
	}
	return nil
}

// putNumber adds a number to a message, unless it is 0, which is what a field is without it.
func putNumber(msg []byte, field int, n uint64) []byte {
	if n == 0 {
		return msg
	}
	return binary.AppendUvarint(binary.AppendUvarint(msg, uint64(field)<<3|wireVarint), n)
}

// putBytes adds text or bytes to a message, unless there are none.
func putBytes[T string | []byte](msg []byte, field int, b T) []byte {
	if len(b) == 0 {
		return msg
	}
	return append(binary.AppendUvarint(binary.AppendUvarint(msg, uint64(field)<<3|wireBytes), uint64(len(b))), b...)
}
