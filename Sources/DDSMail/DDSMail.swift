// DDSMail
