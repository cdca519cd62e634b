const key = 'memoryguard-welcomed'

/** Whether this browser has shown the welcome page. */
export const wasWelcomed = (): boolean => localStorage.getItem(key) !== null

export const rememberWelcome = (): void => localStorage.setItem(key, 'yes')
