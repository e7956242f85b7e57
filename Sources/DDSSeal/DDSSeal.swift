// DDSSeal
