package ecommpay

// The keys of a transfer's messages: language codes. The provider wants the Korean texts to be shown; the
// English ones are for reference (table 2 of the Korean banks page). The private subtag "x-timeout" (BCP 47) marks the
// text for the time after the transfer's end.
const (
	messageKorean         = "ko"
	messageEnglish        = "en"
	messageKoreanTimeout  = "ko-x-timeout"
	messageEnglishTimeout = "en-x-timeout"
)

// transferMessages returns the texts of that table, word for word.
func transferMessages() map[string]string {
	return map[string]string{
		messageKorean:         "입력하신 입금계좌로 실시간 계좌이체를 계속하십시오. 결제 완료될 때까지 창을 닫지 마시기 바랍니다. 4분 내에 시스템에서 입금확인이 가능합니다. 그후 자동으로 판매자의 홈페이지로 이동됩니다.",
		messageEnglish:        "Proceed with online banking transfer to designated account. Do not close this page till your transaction is successfully processed, it might take up to 4 minutes for us to confirm your payment. You will be automatically redirected to merchant WEB site afterwards.",
		messageKoreanTimeout:  "결제 완료될 때까지 창을 닫지 마시기 바랍니다. 4분 내에 시스템에서 입금확인이 가능합니다. 그후 자동으로 판매자의 홈페이지로 이동됩니다.",
		messageEnglishTimeout: "Do not close this page till your transaction is successfully processed, it might take up to 4 minutes for us to process your payment. You will be automatically redirected to merchant WEB site afterwards.",
	}
}

// namesMessages returns the text that must be shown to a customer who is asked for the first or the last name
// ("additional payment information submission message" of the Korean banks page, table 2, word for word).
func namesMessages() map[string]string {
	return map[string]string{
		messageKorean:  "은행 계좌의 소유주 명과 일치하는 성함을 정확히 넣어주셔야 합니다.",
		messageEnglish: "You must enter your first and last name exactly the same as those registered in your bank.",
	}
}
