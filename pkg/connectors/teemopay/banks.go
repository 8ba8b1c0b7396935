package teemopay

import (
	"context"
	"maps"
	"slices"
	"sync"

	"payonce/pkg/connectors"
	"payonce/pkg/payment"
)

// bank is a bank by the three-digit code of the Korea Financial Telecommunications and Clearings
// Institute.
type bank struct {
	name string // as the payout's bank list writes it
	kyc  bool   // also in the list of banks for KYC deposits
}

// banks are the lists of korea/payout/bank and zh korea/payin/kycbank.
var banks = map[string]bank{
	"002": {"Korea Development Bank", true},
	"003": {"Industrial Bank of Korea", true},
	"004": {"Kookmin Bank", true},
	"007": {"Suhyup Bank", true},
	"011": {"National Agricultural Cooperative Federation", true},
	"020": {"Woori Bank", true},
	"023": {"Standard Chartered First Bank Korea", true},
	"027": {"Citibank Korea", true},
	"031": {"Daegu Bank", true},
	"032": {"BNK Busan Bank", true},
	"034": {"Gwangju Bank", true},
	"035": {"Jeju Bank", true},
	"037": {"Jeonbuk Bank", true},
	"039": {"Kyongnam Bank", true},
	"045": {"Korea Federation of Community Credit Cooperative", true},
	"048": {"National Credit Union Federation of Korea", true},
	"050": {"Saving Bank", false},
	"054": {"HSBC Bank", false},
	"055": {"Deutsche Bank", false},
	"057": {"JPMorgan Chase Bank", false},
	"060": {"BOA Bank", false},
	"061": {"BNP Paribas Bank", false},
	"062": {"Industrial and Commercial Bank of China", false},
	"063": {"Bank of China", false},
	"064": {"National Forestry Cooperative Federation", false},
	"067": {"China Construction Bank", false},
	"071": {"Korea Post Office", true},
	"081": {"KEB Hana Bank", true},
	"088": {"Shinhan Bank", true},
	"089": {"KBank", true},
	"090": {"Kakao Bank", true},
	"092": {"Toss Bank", true},
}

var payoutBanks = sync.OnceValue(func() []connectors.Bank {
	list := make([]connectors.Bank, 0, len(banks))
	for _, code := range slices.Sorted(maps.Keys(banks)) { // as the page has them
		list = append(list, connectors.Bank{Code: code, Name: banks[code].name})
	}
	return list
})

// bankCodes returns the codes of all banks, or of those for KYC deposits, sorted.
func bankCodes(kyc bool) (codes []string) {
	for _, code := range slices.Sorted(maps.Keys(banks)) {
		if banks[code].kyc || !kyc {
			codes = append(codes, code)
		}
	}
	return codes
}

// Banks returns the banks that payouts go to (korea/payout/bank), and none for deposits, for which a
// customer chooses the bank. The provider has no request for them, so that none is made.
func (c *Connector) Banks(_ context.Context, op payment.Operation) ([]connectors.Bank, error) {
	if op != payment.Payout {
		return nil, nil
	}
	return payoutBanks(), nil
}
